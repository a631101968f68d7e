"""How many false sentences over a true quote are shown as verified, and how many true ones.

    python benchmarks/claim_checks.py                    both languages, both halves of the documents
    python benchmarks/claim_checks.py --jsonl > c.jsonl  the claims in the form of `rag check`
    python benchmarks/claim_checks.py --model SPEC       with a second checker: a chat model, or hf:NAME for a local
                                                         entailment model
    python benchmarks/claim_checks.py --model SPEC --sample 60 30   with so many true and false ones, drawn from those
                                                         that are no copies, in English and in Korean; without
                                                         the further shortened sentences

The claims are in `benchmarks/claims/`: true ones as people and models paraphrase, false ones by a change
(entities swapped, an antonym, a cause invented, a condition dropped, ...). Each is checked with the true
quote cited, by the code of `rag check`. Of the documents, in their order, every second one was left out while the
rules were written; its figures are those to believe. `LANGUAGE-shortenings.txt` has further shortened sentences,
all of them seen while the rules were made.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.answering.checking import Claim, ClaimQuote, check_claim
from rag.answering.second_check import Checker
from rag.pipeline.opening import open_checker
from rag.providers.registry import new_meter
from rag.settings import load_settings
from rag.types import Page, Support

FOLDER = Path(__file__).parent / "claims"


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim over a quote."""

    document: str
    quote: str
    question: str
    kind: str
    """Of a true claim `copy`, `shortening`, `paraphrase` or `fragment`; of a false one the change that was made."""
    follows: bool
    claim: str


class Quotes:
    """Each quote as a page of its own."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pages: dict[str, list[str]] = {}
        for pair in pairs:
            held = self._pages.setdefault(pair.document, [])
            if pair.quote not in held:
                held.append(pair.quote)

    def number(self, pair: Pair) -> int:
        return self._pages[pair.document].index(pair.quote) + 1

    def page(self, file: str, number: int) -> Page | None:
        return self.pages(file)[number - 1]

    def pages(self, file: str) -> list[Page]:
        return [Page(n, text) for n, text in enumerate(self._pages.get(file, []), 1)]


def read_pairs(path: Path) -> Iterator[Pair]:
    """The pairs of a file of claims; every quote is also a claim by itself, a copy."""
    document = quote = question = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        tag, _, rest = line.partition(" ")
        if tag == "@":
            document = rest
        elif tag == "Q":
            quote = rest
            yield Pair(document, quote, "", "copy", True, quote)
        elif tag == "?":
            question = rest
        elif tag in ("T", "F"):
            kind, _, claim = rest.partition(" ")
            yield Pair(document, quote, question, kind, tag == "T", claim)
            question = ""


def main() -> None:
    """Print the figures of each language and half, or the claims."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jsonl", action="store_true", help="print the claims for `rag check`")
    parser.add_argument("--errors", action="store_true", help="print the false ones verified")
    parser.add_argument("--model", metavar="SPEC", help="a second checker of what rules leave open")
    parser.add_argument(
        "--sample", nargs=2, type=int, metavar=("ENGLISH", "KOREAN"), help="true and false ones"
    )
    options = parser.parse_args()
    checker = _checker(options.model) if options.model else None
    for language, most in zip(("english", "korean"), options.sample or (None, None), strict=True):
        pairs = list(read_pairs(FOLDER / f"{language}.txt"))
        documents = list(dict.fromkeys(pair.document for pair in pairs))
        if most is not None:
            pairs = sample(pairs, most)
        if options.jsonl:
            _print_claims(pairs, Quotes(pairs))
        else:
            print_figures(language, pairs, set(documents[1::2]), checker, errors=options.errors)
            if most is None:
                further = list(read_pairs(FOLDER / f"{language}-shortenings.txt"))
                print_figures(f"{language} shortenings", further, set(), checker, errors=options.errors)


def sample(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """So many true and so many false ones that are no copies, always the same."""
    chance = random.Random(17)
    true = [pair for pair in pairs if pair.follows and pair.kind != "copy"]
    return chance.sample(true, most) + chance.sample([pair for pair in pairs if not pair.follows], most)


def _claim(pair: Pair, page: int) -> Claim:
    return Claim(pair.claim, (ClaimQuote(pair.quote, pair.document, page),), pair.question)


def _print_claims(pairs: Sequence[Pair], quotes: Quotes) -> None:
    for i, pair in enumerate(pairs, 1):
        quote = {"quote": pair.quote, "file": pair.document, "page": quotes.number(pair)}
        form = {"id": str(i), "sentence": pair.claim, "quotes": [quote], "question": pair.question}
        sys.stdout.write(json.dumps(form, ensure_ascii=False) + "\n")


def _checker(spec: str) -> Checker:
    settings = load_settings({"check": spec, "max_cost": float("inf")})
    second = open_checker(settings, new_meter(settings), print, None)
    if second is None:
        raise SystemExit("--model off checks nothing")
    return lambda pairs, question: second.check(pairs, question, {})


def print_figures(
    language: str, pairs: Sequence[Pair], left_out: set[str], checker: Checker | None, *, errors: bool
) -> None:
    """Print how many of each half and kind are verified; `left_out` are the documents of the one half."""
    quotes = Quotes(pairs)
    verified: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        half = "left out" if pair.document in left_out else "developed on"
        key = (half, pair.kind if pair.follows else "false")
        held = check_claim(_claim(pair, quotes.number(pair)), quotes, lambda _text: (), None, checker)
        total[key] += 1
        verified[key] += held.sentence.support is Support.VERIFIED
        if errors and not pair.follows and held.sentence.support is Support.VERIFIED:
            print(f"false ({pair.kind}): {pair.claim}")
    for half, kind in sorted(total):
        key = (half, kind)
        print(
            f"{language}, {half}, {kind}: {verified[key]} of {total[key]} verified ({verified[key] / total[key]:.1%})"
        )


if __name__ == "__main__":
    main()
