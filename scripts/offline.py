"""Run a command where nothing but loopback can be reached, and fail when it tries to reach more.

    python3 scripts/offline.py COMMAND...

Linux only: the command gets a network namespace whose single interface is loopback (`unshare`, as root or with
user namespaces). The kernel refuses every packet to another host there for want of a route, and counts the refusal:
`OutNoRoutes` in /proc/net/snmp and snmp6 (RFC 4293). A TCP connect, a UDP send and a name look-up all count, from
whatever process of the command, and whether or not the program swallowed the error. The count is tried out first.

Ends with the command's own exit code; with 1 when that was 0 but something was counted; with 2 when such a namespace
cannot be made here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

NOBODY, NOBODY_6 = "192.0.2.1", "2001:db8::1"
"""Addresses that belong to nobody (RFC 5737, RFC 3849)."""
WATCHED = "PAGEQUOTE_LOOPBACK_ONLY"
"""Set for the command: the tests then look at the count after each test, to name the one that tried."""
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_ROW = "16sh14x"
"""`struct ifreq` as far as it matters: the interface's name and its flags."""


def main(arguments: list[str]) -> int:
    """Make the namespace and run the command in it."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    if arguments[0] == "--inside":
        return inside(arguments[1:])
    unshare = shutil.which("unshare")
    if unshare is None:
        print("A network namespace needs Linux and the program `unshare` (util-linux).", file=sys.stderr)
        return 2
    namespaces = [unshare, "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*namespaces, "true"], capture_output=True, check=False).returncode != 0:
        print(
            "A network namespace is not permitted here: be root, or allow user namespaces.", file=sys.stderr
        )
        return 2
    return subprocess.run(
        [*namespaces, sys.executable, __file__, "--inside", *arguments], check=False
    ).returncode


def inside(command: list[str]) -> int:
    """Set the namespace up, run the command and read the kernel's count."""
    raise_loopback()
    with tempfile.TemporaryDirectory() as folder:
        ask_names_of_nobody(Path(folder))
        if blind := [name for name, attempt in ATTEMPTS.items() if not counts(attempt)]:
            message = f"The kernel does not count an attempt by {', '.join(blind)}: nothing is proven."
            print(message, file=sys.stderr)
            return 2
        before = refused()
        code = subprocess.run(command, env=os.environ | {WATCHED: "1"}, check=False).returncode
        tried = refused() - before
    if tried:
        print(f"Offline: something tried to leave this machine; packets refused: {tried}.", file=sys.stderr)
    else:
        print("Offline: nothing tried to leave this machine.", file=sys.stderr)
    return code or int(tried > 0)


def raise_loopback() -> None:
    """Bring `lo` up, as `ip link set lo up` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        row = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack(_ROW, b"lo", 0))
        flags = struct.unpack(_ROW, row)[1] | _IFF_UP
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack(_ROW, b"lo", flags))


def ask_names_of_nobody(folder: Path) -> None:
    """Let names be looked up by DNS at an address of nobody, so that a look-up is an attempt that counts.

    A resolver on loopback, or behind a Unix socket, would answer or refuse without one. The mounts are seen by the
    command alone; what is mounted stands in `folder`, which must outlive it.
    """
    for name, text in {
        "resolv.conf": f"nameserver {NOBODY}\n",
        "nsswitch.conf": "hosts: files dns\n",
    }.items():
        own = folder / name
        own.write_text(text)
        if (etc := Path("/etc") / name).exists():
            subprocess.run(["mount", "--bind", str(own), str(etc.resolve())], check=True)


def refused() -> int:
    """Packets that had no route out of this namespace so far, IPv4 and IPv6."""
    names, values = Path("/proc/self/net/snmp").read_text().splitlines()[:2]
    count = int(dict(zip(names.split(), values.split(), strict=True))["OutNoRoutes"])
    six = Path("/proc/self/net/snmp6")
    if six.exists():
        count += int(dict(line.split() for line in six.read_text().splitlines())["Ip6OutNoRoutes"])
    return count


def counts(attempt: Callable[[], object]) -> bool:
    """Whether the kernel counts an attempt to reach another host."""
    before = refused()
    with contextlib.suppress(OSError):
        attempt()
    return refused() > before


def _connect(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as stream:
        stream.connect((address, 80))


def _send() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"x", (NOBODY, 53))


ATTEMPTS: dict[str, Callable[[], object]] = {
    "TCP": lambda: _connect(socket.AF_INET, NOBODY),
    "UDP": _send,
    "a look-up of a name": lambda: socket.getaddrinfo("name.invalid", 80),
}
if socket.has_ipv6 and Path("/proc/self/net/if_inet6").exists():
    ATTEMPTS["IPv6"] = lambda: _connect(socket.AF_INET6, NOBODY_6)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
