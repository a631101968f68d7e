"""Quotes from real pages, mutated: are the altered ones caught, the true ones accepted, their pages right?

    python benchmarks/mutated_quotes.py INDEX [INDEX ...] [--count 2400] [--seed 0] [--show 5] [--out FILE]

INDEX is a folder that `rag ingest` made; without one the sample documents are indexed into a temporary folder. From
each page quotes of 5 to 25 words are taken and proven as an answer's: unchanged but for noise (line breaks,
hyphenation, spaces, quotation marks, character forms), cited from another page or file, or altered (a word swapped, a
figure changed, a negation put in or taken out, words dropped).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from rag.answering.citations import PageTexts, check_quote
from rag.answering.markers import Quote
from rag.store import Index, open_index
from rag.types import Citation, Page, Passage, QuoteStatus

ROOT = Path(__file__).resolve().parent.parent
WORDS = (5, 25)
CONTEXT = 4
"""Passages that the answer was given, the true one among them."""
HANGUL = re.compile("[가-힣]")
NEGATIONS = {
    "is": "is not",
    "was": "was not",
    "are": "are not",
    "were": "were not",
    "has": "has not",
    "had": "had not",
    "can": "cannot",
    "will": "will not",
    "may": "may not",
    "있다": "없다",
    "있었다": "없었다",
    "했다": "하지 않았다",
    "하였다": "하지 않았다",
    "이다": "아니다",
    "한다": "하지 않는다",
    "된다": "되지 않는다",
}

Mutation = Callable[[str, str, random.Random], str | None]
"""Quote, page text and chance to the mutated quote; None when the quote cannot be mutated that way."""


def noise(quote: str, _page: str, chance: random.Random) -> str:
    """What copying out of a PDF does; the words stay."""
    words = re.split(r"\s+", quote)
    text = words[0]
    for before, word in pairwise(words):
        if before[-1:] in "-–—" or word[:1] in "-–—":
            gap = " "  # a break beside a dash is a matter of its own
        else:
            gap = chance.choice([" ", " ", " ", "\n", "  ", "\u00a0", " \n"])
        text += gap + (_hyphenated(word, chance) if chance.random() < 0.1 else word)
    text = chance.choice([str, _straight, _curly])(text)
    return chance.choice([str, str, _decomposed, _wide])(text)


def _hyphenated(word: str, chance: random.Random) -> str:
    if not re.fullmatch("[a-z]{7,}", word):
        return word
    at = chance.randrange(3, len(word) - 2)
    return f"{word[:at]}{chance.choice(['-', chr(0xAD)])}\n{word[at:]}"


def _straight(text: str) -> str:
    return re.sub("[“”]", '"', re.sub("[‘’]", "'", text))


def _curly(text: str) -> str:
    return re.sub('"([^"]*)"', "“\\1”", text)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in text)


def swap_word(quote: str, page: str, chance: random.Random) -> str | None:
    """One word replaced by another of the page."""
    words = quote.split()
    at = chance.randrange(len(words))
    others = [w for w in page.split() if _bare(w) and _bare(w) != _bare(words[at])]
    return " ".join([*words[:at], chance.choice(others), *words[at + 1 :]]) if others else None


def change_figure(quote: str, _page: str, chance: random.Random) -> str | None:
    """One digit made another."""
    digits = [i for i, c in enumerate(quote) if c in "0123456789"]
    if not digits:
        return None
    at = chance.choice(digits)
    return quote[:at] + chance.choice([d for d in "0123456789" if d != quote[at]]) + quote[at + 1 :]


def negate(quote: str, _page: str, chance: random.Random) -> str | None:
    """A negation put in, or taken out."""
    without = re.sub(r"\b(?:not|no|never) |지 않", "", quote, count=1)
    if without != quote:
        return without
    pattern = re.compile(
        "|".join(rf"(?<!\w){k}(?!\w)" if k.isascii() else rf"{k}(?=\W|$)" for k in NEGATIONS)
    )
    found = list(pattern.finditer(quote))
    if not found:
        return None
    match = chance.choice(found)
    return quote[: match.start()] + NEGATIONS[match[0]] + quote[match.end() :]


def drop_words(quote: str, _page: str, chance: random.Random) -> str | None:
    """One to three words from the middle left out."""
    words = quote.split()
    if len(words) < 6:
        return None
    at, count = chance.randrange(1, len(words) - 4), chance.randint(1, 3)
    return " ".join(words[:at] + words[at + count :])


ALTERED: dict[str, Mutation] = {
    "word swapped": swap_word,
    "figure changed": change_figure,
    "negation": negate,
    "words dropped": drop_words,
}
TRUE = ("noise", "page shifted", "file swapped")


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def quotes_of(index: Index, chance: random.Random) -> Iterator[tuple[str, Page, str]]:
    """File, page and a quote of it, again and again, all pages alike."""
    pages = [
        (s.file, p) for s in index.documents() for p in index.pages(s.file) if len(p.text.split()) > WORDS[1]
    ]
    while pages:
        file, page = chance.choice(pages)
        words = list(re.finditer(r"\S+", page.text))
        count = chance.randint(*WORDS)
        first = chance.randrange(len(words) - count)
        quote = page.text[words[first].start() : words[first + count - 1].end()]
        inside = any(
            a < words[first + count - 1].end() and b > words[first].start() for a, b in page.headers_footers
        )
        if "\n\n" not in quote and not inside and sum(c.isalpha() for c in quote) > len(quote) / 2:
            yield file, page, quote


def passages_for(index: Index, file: str, page: Page, chance: random.Random) -> list[Passage]:
    """Passages as if retrieved: one of the page, and others of other pages and files."""
    own = index.chunks_of_page(file, page.number)
    others = [s.file for s in index.documents() if s.file != file and index.pages(s.file)]
    ids = own[:1]
    for other in chance.sample(others, min(CONTEXT - 1, len(others))):
        ids += index.chunks_of_page(other, 1)[:1]
    return index.passages(ids)


def run(
    index: Index, count: int, chance: random.Random, counts: Counter[tuple[str, str]]
) -> list[dict[str, str]]:
    """Prove `count` mutated quotes; returns the ones that went wrong."""
    wrong = []
    source = quotes_of(index, chance)
    whole = {s.file: "".join(_bare(p.text) for p in index.pages(s.file)) for s in index.documents()}
    made = 0
    while made < count:
        file, page, quote = next(source)
        kind = chance.choice([*TRUE, *ALTERED])
        passages = passages_for(index, file, page, chance)
        if not passages or passages[0].file != file:
            continue
        text = noise(quote, page.text, chance) if kind in TRUE else ALTERED[kind](quote, page.text, chance)
        if text is None or (kind in ALTERED and any(_bare(text) in whole[p.file] for p in passages)):
            continue
        cited = 1
        if kind == "file swapped":
            cited = 2
        elif kind == "page shifted":
            shifted = _other_page(index, file, page, chance)
            if shifted is None:
                continue
            passages = [*passages[1:], shifted]
            cited = len(passages)
        if cited > len(passages):
            continue
        made += 1
        citation = check_quote(Quote(text, cited), passages, PageTexts(index))
        verdict = judge(kind, citation, file, page, index, quote)
        counts[kind, verdict] += 1
        if verdict != "right":
            wrong.append({"kind": kind, "verdict": verdict, "quote": text, "file": file, "was": quote})
    return wrong


def _other_page(index: Index, file: str, page: Page, chance: random.Random) -> Passage | None:
    numbers = [
        p.number
        for p in index.pages(file)
        if p.number != page.number and index.chunks_of_page(file, p.number)
    ]
    return index.passages(index.chunks_of_page(file, chance.choice(numbers))[:1])[0] if numbers else None


def judge(kind: str, citation: Citation, file: str, page: Page, index: Index, quote: str) -> str:
    """`right`, or what was wrong."""
    if kind in ALTERED:
        return "accepted" if citation.verified else "right"
    if not citation.verified:
        return "rejected"
    place = (citation.file, citation.page) == (file, page.number)
    there = index.page(citation.file, citation.page)
    # A page may repeat another's words; then both are right.
    repeated = there is not None and _bare(quote) in _bare(there.text)
    if not place and not repeated:
        return "wrong page"
    expected = QuoteStatus.FOUND if kind == "noise" or (repeated and not place) else QuoteStatus.MOVED
    return "right" if citation.status is expected or repeated else "wrong status"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("indexes", nargs="*", metavar="INDEX")
    parser.add_argument("--count", type=int, default=2400, help="quotes in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="print so many that went wrong")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        indexes = arguments.indexes or [sample_index(Path(folder))]
        for i, location in enumerate(indexes):
            with open_index(location) as index:
                wrong += run(
                    index, arguments.count // len(indexes), random.Random(arguments.seed + i), counts
                )
    result = summary(counts)
    print(json.dumps(result, indent=2, ensure_ascii=False))
    for line in wrong[: arguments.show]:
        print(json.dumps(line, ensure_ascii=False))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def sample_index(folder: Path) -> str:
    """The sample documents, indexed below `folder`."""
    command = [
        sys.executable,
        "-m",
        "ingest",
        str(ROOT / "data" / "sample"),
        "--index",
        str(folder / "index"),
    ]
    subprocess.run(command, check=True, cwd=ROOT)
    return str(folder / "index")


def summary(counts: Counter[tuple[str, str]]) -> dict[str, Any]:
    """Shares: altered caught, true accepted, page right; and each kind by itself."""
    kinds = {kind: sum(n for (k, _), n in counts.items() if k == kind) for kind, _ in counts}
    altered = sum(kinds.get(kind, 0) for kind in ALTERED)
    true = sum(kinds.get(kind, 0) for kind in TRUE)
    accepted = true - sum(counts[kind, "rejected"] for kind in TRUE)
    elsewhere = sum(counts[kind, "wrong page"] for kind in TRUE)
    return {
        "quotes": altered + true,
        "altered_caught": round(1 - sum(counts[kind, "accepted"] for kind in ALTERED) / max(altered, 1), 4),
        "true_accepted": round(accepted / max(true, 1), 4),
        "page_right": round(1 - elsewhere / max(accepted, 1), 4),
        "by_kind": {
            kind: {verdict: n for (k, verdict), n in sorted(counts.items()) if k == kind}
            for kind in sorted(kinds)
        },
    }


if __name__ == "__main__":
    main()
