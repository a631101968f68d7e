"""Answers judged by a chat model, and how far its judgement agrees with the figures that need none."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import BudgetReached, ProviderError
from rag.evaluation.json_prompt import JsonPrompt, load_prompt
from rag.evaluation.metrics import is_right
from rag.evaluation.runs import Record, Run
from rag.evaluation.statistics import Interval, Ratio, interval
from rag.types import Support

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

FILE = "judge.jsonl"
_VARIABLES = ("question", "answer", "passages", "gold")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge said of one answer; both values from 0 to 1."""

    id: str
    faithful: float
    correct: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two yes-or-no readings of the same answers."""

    share: float
    """Where they agree."""
    kappa: float
    """Cohen's kappa (1960): agreement beyond chance; NaN when one of them never varies."""
    n: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A run as its judge sees it."""

    judgements: tuple[Judgement, ...]
    faithfulness: Interval
    correctness: Interval
    faithfulness_agreement: Agreement
    """With "every sentence of the answer is verified"."""
    correctness_agreement: Agreement
    """With `answer_right`."""
    unread: int
    """Replies of the judge that held no judgement."""
    budget: str = ""
    """The message when the cost cap ended it."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "judged": len(self.judgements),
            "unread": self.unread,
            "faithfulness": _form(self.faithfulness),
            "correctness": _form(self.correctness),
            "faithfulness_agreement": _form(self.faithfulness_agreement),
            "correctness_agreement": _form(self.correctness_agreement),
        }


def judge_run(
    run: Run,
    model: BaseChatModel,
    *,
    prompt: str | Path = "judge",
) -> Judged:
    """Judge every answer that was given, and keep each judgement in the run's folder as it comes.

    Answers judged before with the same prompt and model are not judged again. `prompt` is a YAML file with
    `system` and `user`. A cost cap ends the judging with what is finished kept.

    Raises TemplateError for a wrong prompt, and ProviderError when the first answer cannot be judged.
    """
    template = load_prompt(prompt, _VARIABLES)
    key = f"{getattr(model, 'spec', type(model).__name__)}:{template.fingerprint}"
    known = _known(run.folder / FILE, key)
    waiting = [r for r in run.records if r.answer is not None and r.answer.answered and r.id not in known]
    unread, budget = 0, ""
    with (run.folder / FILE).open("a", encoding="utf-8") as file:
        held = (run.folder / FILE).read_bytes()
        file.write("\n" if held and not held.endswith(b"\n") else "")  # a torn line stands alone
        for done, record in enumerate(waiting):
            try:
                judgement = judge(record, model, template)
            except BudgetReached as reached:
                budget = str(reached)
                break
            except ProviderError:
                if done == 0:
                    raise
                judgement = None
            if judgement is None:
                unread += 1
            else:
                known[record.id] = judgement
                file.write(json.dumps({"key": key, **asdict(judgement)}, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
    return _summed(run.records, known, unread, budget)


def judge(record: Record, model: BaseChatModel, template: JsonPrompt) -> Judgement | None:
    """One judgement; None when the reply holds none."""
    assert record.answer is not None
    golds = record.question.answers
    passages = "\n\n".join(f"[{n}] {p.text}" for n, p in enumerate(record.answer.passages, start=1))
    reply = template.ask(
        model,
        question=record.question.question,
        answer=record.answer.text,
        passages=passages,
        gold="\n".join(golds) if golds else "(The documents do not hold the answer.)",
    )
    values = [_share(reply.get(name)) for name in ("faithful", "correct")] if reply else [math.nan]
    if reply is None or any(math.isnan(value) for value in values):
        return None
    return Judgement(record.id, values[0], values[1], str(reply.get("reason") or "")[:500])


def agreement(one: Sequence[bool], other: Sequence[bool]) -> Agreement:
    """How far two readings of the same answers agree."""
    n = len(one)
    if not n:
        return Agreement(math.nan, math.nan, 0)
    share = sum(a == b for a, b in zip(one, other, strict=True)) / n
    yes, also = sum(one) / n, sum(other) / n
    chance = yes * also + (1 - yes) * (1 - also)
    kappa = (share - chance) / (1 - chance) if 0 < yes < 1 and 0 < also < 1 else math.nan
    return Agreement(share, kappa, n)


def _summed(
    records: Sequence[Record], judgements: Mapping[str, Judgement], unread: int, budget: str
) -> Judged:
    pairs = [(record, judgements[record.id]) for record in records if record.id in judgements]
    rightness = [(right, j.correct >= 0.5) for r, j in pairs if (right := is_right(r)) is not None]
    backing = [
        (all(s.support is Support.VERIFIED for s in r.answer.sentences), j.faithful >= 0.5)
        for r, j in pairs
        if r.answer is not None and r.answer.sentences
    ]
    faithful, correct = (
        interval(Ratio.mean(np.array(shares, dtype=float)), len(shares))
        for shares in ([j.faithful for _, j in pairs], [j.correct for _, j in pairs])
    )
    return Judged(
        tuple(j for _, j in pairs),
        faithful,
        correct,
        agreement([a for a, _ in backing], [b for _, b in backing]),
        agreement([a for a, _ in rightness], [b for _, b in rightness]),
        unread,
        budget,
    )


def _share(value: object) -> float:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, (int, float)) and 0 <= value <= 1:
        return float(value)
    return math.nan


def _known(path: Path, key: str) -> dict[str, Judgement]:
    """The judgements that an earlier attempt left; a torn line is passed over, and its answer judged again."""
    known = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                fields = json.loads(line)
                if fields.pop("key") == key:
                    known[fields["id"]] = Judgement(**fields)
            except (ValueError, TypeError, KeyError):
                continue
    return known


def _form(value: Interval | Agreement) -> dict[str, Any]:
    return {
        name: None if isinstance(number, float) and math.isnan(number) else number
        for name, number in asdict(value).items()
    }
