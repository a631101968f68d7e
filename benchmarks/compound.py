"""Measure questions that ask for two things: pairs of a question set, joined in the ways people join them.

    python benchmarks/compound.py INDEX QUESTIONS [--pairs 60] [--seed 0] [--out FILE]

Two answerable questions of one language are joined by "and" or as a comparison, and asked without a model. Prints for
each way of joining how often both gold pages are among the passages, both gold answers are shown, and both are right
when they are asked one by one, which is the most that joining can reach.
"""

from __future__ import annotations

import argparse
import json
import random
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.evaluation.question_sets import Question, load_questions
from rag.pipeline import Pipeline
from rag.settings import load_settings
from rag.types import Answer

WAYS = {
    "en": {
        "and": lambda a, b: f"{a.rstrip('?')}, and {b[0].lower()}{b[1:]}",
        "two sentences": lambda a, b: f"{a} And {b[0].lower()}{b[1:]}",
        "comparison": lambda a, b: f"{a.rstrip('?')} compared with {b[0].lower()}{b[1:]}",
    },
    "ko": {
        "and": lambda a, b: f"{a.rstrip('?')}, 그리고 {b}",
        "two sentences": lambda a, b: f"{a} 또 {b}",
        "comparison": lambda a, b: f"{a} {b} 둘을 비교해 주세요.",
    },
}


@dataclass(frozen=True)
class Pair:
    """Two questions and how they are joined."""

    way: str
    question: str
    parts: tuple[Question, Question]


def pairs_of(questions: Sequence[Question], count: int, seed: int) -> Iterator[Pair]:
    """`count` pairs, the ways of joining in turn; each question is used once."""
    chance = random.Random(seed)
    for language, ways in WAYS.items():
        own = [q for q in questions if q.answerable and q.language == language]
        chance.shuffle(own)
        halves = zip(own[::2], own[1::2], strict=False)
        for number, (one, two) in enumerate(list(halves)[:count]):
            way = list(ways)[number % len(ways)]
            yield Pair(f"{language} {way}", ways[way](one.question, two.question), (one, two))


def holds_page(answer: Answer, question: Question) -> bool:
    """Whether a gold page is among the passages."""
    gold = {(unicodedata.normalize("NFC", e.file), e.page) for e in question.evidence}
    return any((p.file, n) in gold for p in answer.passages for n in range(p.page, p.page_end + 1))


def shows_answer(answer: Answer, question: Question) -> bool:
    """Whether a gold answer is shown, white space and case folded."""
    return any(_fold(gold) in _fold(answer.text) for gold in question.answers)


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).lower()


def measure(pipeline: Pipeline, pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Shares of the pairs by way of joining, and `alone`: both questions answered rightly when asked one by one."""
    rows: dict[str, list[tuple[bool, bool, bool]]] = {}
    for pair in pairs:
        answer = pipeline.ask(pair.question)
        alone = [shows_answer(pipeline.ask(part.question), part) for part in pair.parts]
        pages = all(holds_page(answer, part) for part in pair.parts)
        shown = all(shows_answer(answer, part) for part in pair.parts)
        rows.setdefault(pair.way, []).append((pages, shown, all(alone)))
    rows["all"] = [row for own in rows.values() for row in own]
    names = ("both_pages", "both_shown", "both_right_alone")
    return {
        way: {"pairs": len(own)}
        | {name: round(sum(r[i] for r in own) / len(own), 3) for i, name in enumerate(names)}
        for way, own in rows.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index")
    parser.add_argument("questions")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    settings = load_settings({"index": arguments.index, "model": "extractive"})
    pairs = list(pairs_of(load_questions(arguments.questions), arguments.pairs, arguments.seed))
    with Pipeline.open(settings=settings) as pipeline:
        text = json.dumps(measure(pipeline, pairs), indent=2, ensure_ascii=False)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
