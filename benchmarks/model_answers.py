"""Measure the answers of a chat model, checked, against a plain chain with the same model and passages.

    python benchmarks/model_answers.py INDEX QUESTIONS --model SPEC --out FILE [--answerable 10] [--unanswerable 4]
                                       [--half odd|even] [--prompt NAME] [-k 8]
    python benchmarks/model_answers.py INDEX QUESTIONS --model SPEC --out FILE --recheck
    python benchmarks/model_answers.py --show FILE ...

Asks questions about every second document with all defaults, and the same model the way of LangChain's tutorial: the
same passages, and to answer from the context. A line of JSON is kept for each question, so that a run that broke can
go on where it was. `--recheck` reads and checks the kept replies again, as after a change of the code that does; the
model is asked only about sentences that it was not asked about before. `--show` prints the figures of kept runs.

An answer is right when it holds a gold answer, white space and case folded. Whether a verified answer without one is
wrong, and not just in other words, is for people to read: these are printed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage

from rag.answering.second_check import Pair, SecondChecker
from rag.evaluation.answer_metrics import answer_hit
from rag.evaluation.question_sets import Question, load_questions
from rag.pipeline import Pipeline
from rag.pipeline.forms import answer_form
from rag.pipeline.query import QueryState, as_query
from rag.settings import load_settings
from rag.types import Support

PLAIN = (
    "You are an assistant for question-answering tasks. Use the following pieces of retrieved context to answer the"
    " question. If you don't know the answer, just say that you don't know. Use three sentences maximum and keep the"
    " answer concise.\nQuestion: {question}\nContext: {context}\nAnswer:"
)
"""The prompt `rlm/rag-prompt` of LangChain's tutorial."""
Record = dict[str, Any]


@dataclass(slots=True)
class KeptChecks:
    """A second checker that asks `inner` only about pairs that are not `known`."""

    inner: SecondChecker | None
    known: dict[Pair, bool] = field(default_factory=dict)

    def check(self, pairs: Sequence[Pair], question: str, config: Any) -> list[bool]:
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self.known]
        if new and self.inner is not None:
            self.known.update(zip(new, self.inner.check(new, question, config), strict=True))
        return [self.known.get(pair, False) for pair in pairs]


def chosen(questions: Sequence[Question], half: str, answerable: int, unanswerable: int) -> list[Question]:
    """Questions about the documents at odd or even places, and every other one of those that have no answer."""
    documents = sorted({e.file for q in questions for e in q.evidence})
    own = set(documents[half == "even" :: 2])
    with_answer = [q for q in questions if q.answerable and {e.file for e in q.evidence} <= own]
    without = [q for q in questions if not q.answerable][half == "even" :: 2]
    chance = random.Random(17)
    return chance.sample(with_answer, answerable) + chance.sample(without, unanswerable)


def ask(pipeline: Pipeline, question: Question, before: Record | None) -> Record:
    """The record of a question; with `before`, its kept reply is read and checked again."""
    checks = KeptChecks(pipeline.steps.checker)
    steps = replace(pipeline.steps, checker=checks)
    state = steps.assess(steps.retrieve(steps.condense(as_query(question.question), {})))
    if before is None:
        steps.generate(state, {})
        asked, plain = state.usage.total, _plain(pipeline, state)
        record: Record = {"id": question.id, "reply": state.reply, "asked": bool(asked.calls), "plain": plain}
        record["tokens"] = [asked.input_tokens, asked.output_tokens]
    else:
        record = dict(before)
        checks.known = {(sentence, quote): yes for sentence, quote, yes in before["checks"]}
        _reuse(pipeline, state, record)
    spent = state.usage.total
    answer = steps.decide(steps.verify(steps.parse(state), {}))
    if before is None:
        total = state.usage.total
        record["check_tokens"] = [
            total.input_tokens - spent.input_tokens,
            total.output_tokens - spent.output_tokens,
        ]
    record["checks"] = [[sentence, quote, yes] for (sentence, quote), yes in checks.known.items()]
    form = answer_form(answer)
    kept = ("question", "status", "answer", "reason", "sentences", "citations", "evidence_score", "notes")
    return (
        record | {key: form[key] for key in kept} | {"gold": list(question.answers)} | _judged(form, question)
    )


def _reuse(pipeline: Pipeline, state: QueryState, record: Record) -> None:
    """The kept reply in place of a new one; a question declined before the model was asked stays so."""
    if state.declined or not record["asked"]:
        return
    assert pipeline.steps.generator is not None
    _, prompt = pipeline.steps.generator._prepared(state)
    state.packed = prompt.pack(prompt.passages_to_read(state), prompt.room(), state.snapshot)
    state.reply = record["reply"]


def _plain(pipeline: Pipeline, state: QueryState) -> Record:
    """What the plain chain answers from the same passages."""
    assert pipeline.steps.generator is not None
    passages = state.packed.passages if state.packed is not None else state.passages
    context = "\n\n".join(passage.text for passage in passages)
    text = PLAIN.format(question=state.query.question, context=context)
    model = pipeline.steps.generator.model.bind(temperature=0, max_tokens=300)
    reply = model.invoke([HumanMessage(text)])
    usage = reply.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
    return {"reply": reply.text, "tokens": [usage["input_tokens"], usage["output_tokens"]]}


def _judged(form: Record, question: Question) -> Record:
    """What code can tell of an answer: whether it is right, has a verified sentence, and quotes the gold answer."""
    golds, answered = question.answers, form["status"] == "answered"
    return {
        "answerable": question.answerable,
        "right": bool(answered and golds and answer_hit(form["answer"], golds)),
        "verified": answered and any(s["support"] == Support.VERIFIED for s in form["sentences"]),
        "quoted": bool(golds) and any(answer_hit(c["quote"], golds) for c in form["citations"]),
    }


def figures(records: Sequence[Record]) -> Record:
    """The figures of kept records."""
    able = [r for r in records if r["answerable"]]
    unable = [r for r in records if not r["answerable"]]
    right = [r for r in able if r["right"]]
    asked = [r for r in records if r["asked"]]
    return {
        "answerable": len(able),
        "right": len(right),
        "right_plain": sum(answer_hit(r["plain"]["reply"], r["gold"]) for r in able),
        "right_and_verified": sum(r["verified"] for r in right),
        "right_with_quote_only": sum(r["quoted"] and not r["verified"] for r in right),
        "verified_without_gold": sum(r["verified"] and not r["right"] for r in records),
        "answered": sum(r["status"] == "answered" for r in records),
        "wrongly_declined": sum(r["status"] != "answered" for r in able),
        "unanswerable": len(unable),
        "declined": sum(r["status"] != "answered" for r in unable),
        "tokens_a_question": _mean([r["tokens"] for r in asked]),
        "tokens_of_checks": _mean([r["check_tokens"] for r in asked]),
        "tokens_plain": _mean([r["plain"]["tokens"] for r in records]),
    }


def _mean(pairs: Sequence[Sequence[int]]) -> list[int]:
    """Tokens in and out."""
    return [round(sum(column) / len(pairs)) for column in zip(*pairs, strict=True)]


def read(path: Path) -> dict[str, Record]:
    """The records of a file by question; those of a line that was not written to its end are left out."""
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return {record["id"]: record for record in map(json.loads, lines)}


def run(arguments: argparse.Namespace) -> Iterator[Record]:
    """The record of each question, as it is done."""
    flags = {"index": arguments.index, "model": arguments.model, "max_cost": float("inf")}
    flags |= {"prompt": arguments.prompt} if arguments.prompt else {}
    flags |= {"k": arguments.k} if arguments.k else {}
    questions = load_questions(arguments.questions)
    done = read(arguments.out)
    with Pipeline.open(settings=load_settings(flags)) as pipeline:
        for question in chosen(questions, arguments.half, arguments.answerable, arguments.unanswerable):
            before = done.get(question.id)
            if before is None or arguments.recheck:
                yield ask(pipeline, question, before)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", nargs="?")
    parser.add_argument("questions", nargs="?")
    parser.add_argument("--model")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--answerable", type=int, default=10)
    parser.add_argument("--unanswerable", type=int, default=4)
    parser.add_argument("--half", choices=("odd", "even"), default="odd")
    parser.add_argument("--prompt")
    parser.add_argument("-k", type=int)
    parser.add_argument("--recheck", action="store_true")
    parser.add_argument("--show", nargs="+", type=Path)
    arguments = parser.parse_args()
    if not arguments.show:
        arguments.out.touch()
        for record in run(arguments):
            with arguments.out.open("a", encoding="utf-8") as out:  # the last line of a question counts
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
    records = [record for path in arguments.show or [arguments.out] for record in read(path).values()]
    for record in records:
        if record["verified"] and not record["right"]:
            line = unicodedata.normalize(
                "NFC", f"{record['question']} -> {record['answer']} {record['gold']}"
            )
            sys.stdout.write(f"read: {line}\n")
    sys.stdout.write(json.dumps(figures(records), indent=2) + "\n")


if __name__ == "__main__":
    main()
