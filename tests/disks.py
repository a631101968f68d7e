"""File systems of a size that a test sets, to be full when it wants."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


class SmallDisk:
    """A file system in memory at `path`; only an administrator of a Linux machine can make one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mounted = False

    def resized(self, size: int) -> Path:
        """The folder, with room for `size` bytes in all. What is in it stays."""
        options = f"remount,size={size}" if self._mounted else f"size={size}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)]
        if shutil.which("mount") is None or os.name != "posix" or os.geteuid() != 0:
            pytest.skip("a small file system cannot be mounted here")
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("a small file system cannot be mounted here")
        self._mounted = True
        return self.path

    def close(self) -> None:
        """Unmount it."""
        if self._mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=True)
