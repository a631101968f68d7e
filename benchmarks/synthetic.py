"""Synthetic documents for measurements of size: words, names and vectors with the statistics of real ones.

Words are drawn by the law of Zipf and Mandelbrot: the words of the sample documents in order of how general they
are, so that the words of its questions are as common as words of questions are, then made-up words. A quarter of the
files are Korean. Vectors are mixtures of the embeddings of the sample's own passages with noise of their covariance,
so that a real question is as near to them as it is to real passages.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "data"
CHUNKS_PER_PAGE = 5
CHUNKS_PER_FILE = 100
VOCABULARY = 100_000
WORDS = {"en": 110, "ko": 70}
"""Words of a chunk: about 150 tokens of the built-in model."""
OFFSET = 2.7
"""Of Mandelbrot's form of Zipf's law, p(rank) ~ 1 / (rank + 2.7), the usual fit to English."""
YEARS = range(2014, 2024)
NAMED = 4
"""Every fourth question names a document and its year."""
_HANGUL = re.compile(r"[가-힣]")


class Vocabulary:
    """Words of one language, the most common first, and how often each is drawn."""

    def __init__(self, language: str, chance: np.random.Generator) -> None:
        real = _words_of_sample(language)
        made = _made_up(real, VOCABULARY - len(real), chance)
        self._words = np.array([*real, *made], dtype=object)
        self._upto = np.cumsum(1.0 / (np.arange(1, len(self._words) + 1) + OFFSET))
        self._upto /= self._upto[-1]

    def texts(self, chance: np.random.Generator, count: int, length: int) -> list[str]:
        places = np.searchsorted(self._upto, chance.random((count, length)))
        return [" ".join(row) for row in self._words[places].tolist()]


def _words_of_sample(language: str) -> list[str]:
    """The words of the sample's sources, those first that stand in most of them."""
    files: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for path in sorted((DATA / "sources").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        if (language == "ko") == (len(_HANGUL.findall(text)) > len(text) / 10):
            words = re.findall(r"[^\W_]+", text)
            total.update(words)
            files.update(set(words))
    return sorted(total, key=lambda word: (-files[word], -total[word], word))


def _made_up(real: Sequence[str], count: int, chance: np.random.Generator) -> list[str]:
    """Words of pieces of real ones, so that letters and Korean bigrams are as common as they are."""
    halves = [(word[: len(word) // 2], word[len(word) // 2 :]) for word in real if len(word) > 2]
    made: dict[str, None] = {}
    while len(made) < count:
        picks = chance.integers(len(halves), size=(count, 2)).tolist()
        middles = chance.integers(len(halves), size=count).tolist()
        for (first, second), middle in zip(picks, middles, strict=True):
            made[halves[first][0] + halves[middle][1][:2] + halves[second][1]] = None
    return list(made)[:count]


class Vectors:
    """Draws embeddings around those of the sample's passages."""

    def __init__(self) -> None:
        from rag.providers.e5 import E5Embeddings

        passages = []
        for path in sorted((DATA / "sources").glob("*.txt")):
            words = path.read_text(encoding="utf-8").split()
            passages += [" ".join(words[at : at + 90]) for at in range(0, len(words), 90)]
        table = E5Embeddings().embed_array(passages)
        self._mean = table.mean(axis=0)
        self._topics = table - self._mean

    def draw(self, chance: np.random.Generator, count: int) -> np.ndarray:
        """Shape [count, 384]."""
        topics, spread = self._topics, float(np.linalg.norm(self._topics, axis=1).mean())
        first, second = chance.integers(len(topics), size=(2, count))
        shaped = chance.standard_normal((count, len(topics))).astype(np.float32) @ topics
        noise = 0.6 * shaped / np.sqrt(len(topics))
        noise += 0.3 * spread / np.sqrt(topics.shape[1]) * chance.standard_normal(noise.shape)
        return (self._mean + topics[first] + 0.6 * topics[second] + noise).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Name:
    """What a file is called."""

    company: str
    year: int

    @property
    def file(self) -> str:
        return f"{self.company.replace(' ', '_')}_{self.year}_annual_report.pdf"


def names(count: int) -> list[Name]:
    """Names of made-up companies, each with a report for each of ten years."""
    chance = np.random.default_rng(7)
    starts = re.findall(r"\w+", "Vel Kor Ast Bren Dal Mir Tor Hal Sev Lun Pra Quo Nor Cas Eld")
    ends = ("mora", "tex", "via", "dyne", "lon")
    kinds = ("Industries", "Holdings", "Energy", "Foods", "Systems", "Pharma", "Logistics", "Retail")
    companies: dict[str, None] = {}
    while len(companies) < -(-count // len(YEARS)):
        middle = "abcdefghilmnoprstu"[chance.integers(18)] + "aeiou"[chance.integers(5)]
        parts = starts[chance.integers(len(starts))], middle, ends[chance.integers(len(ends))]
        companies["".join(parts) + " " + kinds[chance.integers(len(kinds))]] = None
    return [Name(company, year) for company in companies for year in YEARS][:count]


def documents(total: int) -> Iterator[tuple[Any, np.ndarray]]:
    """Documents of 100 chunks on 20 pages with their vectors, `total` chunks in all."""
    from rag.types import Chunk, Document, DocumentRecord, Page, Span, Status

    chance = np.random.default_rng(2)
    vocabularies = {language: Vocabulary(language, chance) for language in WORDS}
    vectors = Vectors()
    for number, name in enumerate(names(total // CHUNKS_PER_FILE)):
        language = "ko" if number % 4 == 3 else "en"
        texts = vocabularies[language].texts(chance, CHUNKS_PER_FILE, WORDS[language])
        header = f"{name.company} {name.year} annual report"
        chunks, pages = [], []
        for at in range(0, CHUNKS_PER_FILE, CHUNKS_PER_PAGE):
            page, start = at // CHUNKS_PER_PAGE + 1, 0
            for text in texts[at : at + CHUNKS_PER_PAGE]:
                spans = (Span(page, start, start + len(text)),)
                chunks.append(Chunk(len(chunks), spans, text, header, tokens=150))
                start += len(text) + 1
            pages.append(Page(page, "\n".join(texts[at : at + CHUNKS_PER_PAGE])))
        metadata = {"part": str(number % 10), "language": language}
        source = DocumentRecord(name.file, "", str(number), 1, 1, Status.OK, metadata=metadata)
        yield Document(source, tuple(pages), tuple(chunks)), vectors.draw(chance, len(chunks))


def questions(total: int) -> list[str]:
    """The questions of the sample's set, every fourth with the name of one of the documents in front."""
    lines = (DATA / "questions" / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["question"] for line in lines if line.strip()]
    known = names(total // CHUNKS_PER_FILE)
    chance = np.random.default_rng(5)
    for place in range(0, len(asked), NAMED):
        name = known[chance.integers(len(known))]
        asked[place] = f"{name.company} {name.year}: {asked[place]}"
    return [asked[place] for place in chance.permutation(len(asked))]
