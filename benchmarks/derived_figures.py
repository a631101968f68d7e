"""How often is a wrong figure taken for a computed one?

    python benchmarks/derived_figures.py INDEX [INDEX ...] [--count 2000] [--seed 0] [--show 5] [--out FILE]

INDEX is a folder that `rag ingest` made; without one the sample documents are indexed into a temporary folder. Each
trial takes a sentence (or a table's row) with figures from a page, quotes it truly, and claims a random wrong figure
of the like size and form. `altered`: the page's own sentence with one figure exchanged. `claimed`, the hardest: a
claim that says it computes ("In total", "rose by", "on average", a share) and only the figure is random. `true`: the
same claims with the figure that two of the quote's figures really give. The share that is shown as derived is
printed for each, and the share shown as verified, which must be 0 for wrong figures.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from mutated_quotes import sample_index

from rag.answering.derivation import of_one_unit, results, terms_of
from rag.answering.markers import Quote
from rag.answering.reply import Draft, DraftSentence
from rag.answering.verification import check_draft
from rag.store import Index, open_index
from rag.text.facts import facts, supported
from rag.text.sentences import sentences
from rag.types import Page, Passage, Sentence, Support

LENGTH = range(20, 400)
"""Characters of a sentence."""
CLAIMS = {
    "en": {
        "sum": "In total {} of these: {}",
        "difference": "It rose by {}: {}",
        "percentage": "That is a share of {}: {}",
        "percentage change": "It increased by {}: {}",
        "average": "On average {}: {}",
        "ratio": "It is {} as much: {}",
    },
    "ko": {
        "sum": "모두 합쳐 {}: {}",
        "difference": "{} 증가했다: {}",
        "percentage": "{}의 비중을 차지한다: {}",
        "percentage change": "{} 증가했다: {}",
        "average": "평균 {}: {}",
        "ratio": "{}로 늘었다: {}",
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=2000, help="trials of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="wrong figures taken for derived to print")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    seen: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for location in given.index or [sample_index(Path(folder))]:
            with open_index(location) as index:
                places = list(_places(index))
                chance.shuffle(places)
                share = given.count // max(len(given.index), 1)
                for kind in ("altered", "claimed", "true"):
                    _trials(kind, index, places, share, chance, seen, given.show)
    found = {kind: _figures(kind, seen) for kind in ("altered", "claimed", "true")}
    print(json.dumps(found, indent=1))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _figures(kind: str, seen: Counter[tuple[str, str]]) -> dict[str, float]:
    asked = sum(count for (of, _), count in seen.items() if of == kind)
    return {"trials": asked} | {
        word: round(seen[kind, word] / asked, 4) if asked else 0.0 for word in ("derived", "verified")
    }


def _places(index: Index) -> Iterator[tuple[str, Page, str]]:
    """Sentences of the index that hold figures."""
    for source in index.documents():
        for page in index.pages(source.file):
            for start, end in sentences(page.text):
                text = page.text[start:end]
                if len(text) in LENGTH and any(fact.kind == "number" for fact in facts(text)):
                    yield source.file, page, text


def _trials(
    kind: str,
    index: Index,
    places: list[tuple[str, Page, str]],
    count: int,
    chance: random.Random,
    seen: Counter[tuple[str, str]],
    show: int,
) -> None:
    done = shown = 0
    for file, page, text in places * 20:
        claim = {"altered": _altered, "claimed": _claimed, "true": _true}[kind](text, page, chance)
        if claim is None:
            continue
        judged = _judged(claim, text, file, page, index)
        word = "derived" if judged.derived else judged.support.value
        seen[kind, word] += 1
        done += 1
        if kind != "true" and word in ("derived", Support.VERIFIED) and shown < show:
            shown += 1
            print(kind, word, repr(claim), [one.formula for one in judged.derived], file=sys.stderr)
        if done >= count:
            return


def _judged(claim: str, quote: str, file: str, page: Page, index: Index) -> Sentence:
    passage = Passage(1, file, page.number, page.number, page.text, ())
    draft = Draft((DraftSentence(claim, (1,), (Quote(quote, 1),)),))
    return check_draft(draft, [passage], index).sentences[0]


def _altered(text: str, page: Page, chance: random.Random) -> str | None:
    """The sentence with one of its figures exchanged for one that the page does not hold."""
    found = [fact for fact in facts(text) if fact.kind == "number" and re.search(r"\d", fact.text)]
    if not found:
        return None
    fact = chance.choice(found)
    wrong = re.sub(r"\d", lambda _: str(chance.randrange(10)), fact.text)
    claim = text[: fact.start] + wrong + text[fact.end :]
    return claim if _is_wrong(claim, page) else None


def _claimed(text: str, page: Page, chance: random.Random) -> str | None:
    """The sentence behind the claim of a computation whose figure is random."""
    terms = [term for term in terms_of(text) if term.unit not in ("date", "%")]
    if len(terms) < 2:
        return None
    language = "ko" if re.search("[가-힣]", text) else "en"
    operation = chance.choice(list(CLAIMS[language]))
    figure = _random_figure(operation, [term.text for term in terms], language, chance)
    claim = CLAIMS[language][operation].format(figure, text)
    return claim if _is_wrong(claim, page) else None


def _random_figure(operation: str, written: list[str], language: str, chance: random.Random) -> str:
    if operation in ("percentage", "percentage change"):
        return f"{chance.uniform(1, 100):.{chance.choice([0, 1, 1, 2])}f}%"
    if operation == "ratio":
        return f"{chance.uniform(1, 10):.{chance.choice([0, 1, 2])}f}" + (
            "배" if language == "ko" else " times"
        )
    return re.sub(r"\d", lambda _: str(chance.randrange(10)), chance.choice(written))


def _true(text: str, page: Page, chance: random.Random) -> str | None:
    """The same with the figure that two figures of the sentence really give."""
    terms = [term for term in terms_of(text) if term.unit not in ("date", "%")]
    if not terms:
        return None
    language = "ko" if re.search("[가-힣]", text) else "en"
    made = [
        r for r in results(of_one_unit(terms, chance.choice(terms).unit)) if r.operation in CLAIMS[language]
    ]
    if not made:
        return None
    result = chance.choice(made)
    digits = 0 if result.operation in ("sum", "difference") and result.amount % 1 == 0 else 1
    figure = f"{round(result.amount, digits):,}"
    if result.unit == "%":
        figure += "%"
    elif result.unit == "x":
        figure += "배" if language == "ko" else " times"
    claim = CLAIMS[language][result.operation].format(figure, text)
    return claim if Decimal(figure.strip("%배 times").replace(",", "")) and _is_wrong(claim, page) else None


def _is_wrong(claim: str, page: Page) -> bool:
    return any(f.kind == "number" and not supported(f, page.text) for f in facts(claim))


if __name__ == "__main__":
    sys.exit(main())
