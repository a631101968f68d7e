"""Keeps the converted model in a per-user cache: built once, checked at every load, mended when damaged."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from rag.providers.e5 import graph, weights

FORMAT = 1
MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"


def cache_root() -> Path:
    """The writable cache directory: RAG_CACHE_DIR, else XDG_CACHE_HOME/pagequote, else ~/.cache/pagequote.

    Where that cannot be written, a directory of this user's own below the system's temporary one.
    """
    chosen = os.environ.get("RAG_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    root = Path(chosen).expanduser() if chosen else Path(base) / "pagequote"
    return root if _writable(root) else _temporary_root()


def load_model(root: Path, notify: Callable[[str], None], *, unsigned: bool = False) -> bytes:
    """The serialised model from the cache below `root`, converted first when it is missing, stale or damaged.

    `unsigned` chooses the variant of the weights (see `graph.build_model`). `notify` gets one line when a
    conversion starts. Raises ProviderError when the weights are missing.
    """
    source = weights.find_weights()
    folder = root / ("e5-small-unsigned" if unsigned else "e5-small")
    wanted = {"format": FORMAT, "quantisation": graph.QUANTISATION, "weights": weights.identity(source)}

    def convert() -> bytes:
        notify("Preparing the built-in embedding model (once, a few seconds)")
        weights.verify(source)
        return graph.build_model(weights.WeightsFile(source), unsigned=unsigned)

    try:
        return _read(folder, wanted) or _build_once(folder, wanted, convert)
    except OSError as error:
        problem = f"{folder} cannot keep the embedding model ({error.strerror})"
        notify(f"{problem}: set RAG_CACHE_DIR to a folder that can")
        return convert()


def _build_once(folder: Path, wanted: dict[str, object], convert: Callable[[], bytes]) -> bytes:
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "build.lock"):
        # another process may have built it while this one waited for the lock
        if (model := _read(folder, wanted)) is not None:
            return model
        model = convert()
        manifest = {**wanted, "model_sha256": hashlib.sha256(model).hexdigest()}
        _replace(folder / MODEL_FILE, model)
        _replace(folder / MANIFEST_FILE, json.dumps(manifest, indent=2).encode())
        return model


def _read(folder: Path, wanted: dict[str, object]) -> bytes | None:
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
        model = (folder / MODEL_FILE).read_bytes()
    except (OSError, ValueError):
        return None
    return model if manifest == {**wanted, "model_sha256": hashlib.sha256(model).hexdigest()} else None


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename, so that a reader sees the old file or the new one, never half."""
    handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _writable(root: Path) -> bool:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            return True
    except OSError:
        return False


def _temporary_root() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    root = Path(tempfile.gettempdir()) / f"pagequote-{user}"
    with contextlib.suppress(OSError):
        root.mkdir(mode=0o700, exist_ok=True)
        # others can create names in a shared directory: use it only when it is truly this user's own
        if not root.is_symlink() and (not hasattr(os, "getuid") or root.stat().st_uid == os.getuid()):
            return root
    return Path(tempfile.mkdtemp(prefix="pagequote-"))
