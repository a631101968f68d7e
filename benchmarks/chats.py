"""Measure questions of a chat, half of which lean on those before them and half of which stand alone.

    python benchmarks/chats.py INDEX [CHATS] [--out FILE]

CHATS is JSON Lines, by default `chats/sample.jsonl` for an index of `data/sample`. `chats/debian.jsonl` is about the
HTML pages of the Debian packages aptitude-doc-en (in a folder `aptitude`, without the screens `ld-*`) and
debian-faq-ko (in a folder `faq`). A turn has `chat` (its number), `question`, `alone` (whether it stands alone) and
`evidence` (`file`, and `text` that the right page holds).

It is asked without a model, with the questions and answers of its chat before it. Prints for each language how often
the right page comes first and is cited, and how many questions were completed; those that stand alone should not be.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import Any

from rag.pipeline import Pipeline
from rag.settings import load_settings
from rag.store import Snapshot
from rag.text.language import language_of
from rag.types import Answer

SAMPLE = Path(__file__).parent / "chats" / "sample.jsonl"


def gold_pages(turn: dict[str, Any], snapshot: Snapshot) -> set[tuple[str, int]]:
    """File and number of the pages that hold the text of the evidence."""
    found = {
        (one["file"], page.number)
        for one in turn["evidence"]
        for page in snapshot.pages(one["file"])
        if _fold(one["text"]) in _fold(page.text)
    }
    if not found:
        raise SystemExit(f"No page holds the evidence of: {turn['question']}")
    return found


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).lower()


def measure(pipeline: Pipeline, turns: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Shares by language and kind of turn."""
    rows: dict[str, list[dict[str, bool]]] = defaultdict(list)
    history: list[tuple[str, str]] = []
    for number, turn in enumerate(turns):
        if number and turn["chat"] != turns[number - 1]["chat"]:
            history = []
        gold = gold_pages(turn, pipeline.index.snapshot())
        answer: Answer = pipeline.ask(turn["question"], history=history)
        history.append((turn["question"], answer.text))
        first = answer.passages[0] if answer.passages else None
        row = {
            "first": first is not None and (first.file, first.page) in gold,
            "cited": any((citation.file, citation.page) in gold for citation in answer.citations),
            "completed": bool(answer.standalone_question),
        }
        kind = "alone" if turn["alone"] else "follow-up"
        if (turn["alone"] and row["completed"]) or not row["first"]:
            print(
                json.dumps(
                    {"question": turn["question"], "searched": answer.standalone_question} | row,
                    ensure_ascii=False,
                )
            )
        rows[language_of(turn["question"])].append(row)
        rows[f"{language_of(turn['question'])} {kind}"].append(row)
    return {
        name: {"turns": len(own)} | {key: sum(row[key] for row in own) for key in own[0]}
        for name, own in rows.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index")
    parser.add_argument("chats", type=Path, nargs="?", default=SAMPLE)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    turns = [json.loads(line) for line in arguments.chats.read_text(encoding="utf-8").splitlines()]
    with Pipeline.open(settings=load_settings({"index": arguments.index, "model": "extractive"})) as pipeline:
        text = json.dumps(measure(pipeline, turns), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
