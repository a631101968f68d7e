"""Carrying out `rag eval`: one run for each variant of the settings, then the reports."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ingest.options import IngestOptions
from ingest.pipeline import ingest
from rag.cli.app import EXIT_BUDGET, EXIT_DONE, EXIT_FAILED, EXIT_PARTLY
from rag.cli.evaluate_show import show_run, show_sweep, write_reports, write_sweep
from rag.cli.output import tell, track
from rag.errors import UsageError
from rag.evaluation.compare import Verdict, compare, missed, requirements
from rag.evaluation.metrics import METRICS
from rag.evaluation.question_sets import Question, load_questions
from rag.evaluation.running import EvaluatedPipeline, EvaluationOutcome, describe, evaluate
from rag.evaluation.runs import Run, load_run
from rag.evaluation.sweep import grid
from rag.messages import choose_language, message
from rag.pipeline import Pipeline
from rag.providers.registry import new_meter
from rag.store import open_index
from rag.text.paths import is_on_disk, path_of

if TYPE_CHECKING:
    from rag.settings import Settings
    from rag.types import Passage
    from rag.usage.meter import Meter

_JOBS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call of `rag eval` is to do."""

    settings: Settings
    questions: tuple[Question, ...]
    out: Path
    axes: Mapping[str, tuple[Any, ...]]
    metric: str | None
    answers: bool
    depth: int
    jobs: int
    restart: bool
    against: Path | None
    fail_if_worse: bool
    limits: Mapping[str, float]
    where: tuple[str, ...]

    @classmethod
    def from_options(cls, settings: Settings, questions: str, options: Mapping[str, Any]) -> Plan:
        """Check the options before anything is asked. Raises UsageError and QuestionSetError."""
        if options["fail_if_worse"] and options["against"] is None:
            raise UsageError("--fail-if-worse needs --against RUN, the run to compare with.")
        metric = options["metric"]
        if metric is not None and (metric not in METRICS or METRICS[metric].score is None):
            means = ", ".join(name for name, one in METRICS.items() if one.score is not None)
            raise UsageError(f"--metric {metric} cannot rank runs: use one of {means}.")
        axes = _axes(options, settings)
        out = options["out"] or _default_out(questions, settings, axes, options)
        return cls(
            settings=settings,
            questions=tuple(load_questions(questions)),
            out=Path(out),
            axes=axes,
            metric=metric,
            answers=not options["no_answers"],
            depth=options["depth"],
            jobs=options["jobs"] or _JOBS,
            restart=options["restart"],
            against=Path(options["against"]) if options["against"] else None,
            fail_if_worse=options["fail_if_worse"],
            limits=requirements(options["fail_under"]),
            where=options["where"],
        )


def _axes(options: Mapping[str, Any], settings: Settings) -> dict[str, tuple[Any, ...]]:
    """The settings that were given, each with its values."""
    named = {"model": "models", "prompt": "prompts", "k": "ks", "chunk_tokens": "chunks"}
    axes = {name: tuple(options[option]) for name, option in named.items() if options[option]}
    for text in options["vary"]:
        name, _, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not name or not values:
            raise UsageError(
                f"--vary {text!r} is not understood: write a setting and values, as temperature=0,1."
            )
        if name not in type(settings).model_fields:
            raise UsageError(_no_setting(name, type(settings).model_fields))
        if _is_secret(name):
            raise UsageError("--vary cannot hold keys: set them in the environment.")
        axes[name] = tuple(value.strip() for value in values.split(","))
    return axes


def _no_setting(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, [one for one in known if not _is_secret(one)], n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else "`rag doctor` lists the settings."
    return f"--vary {name}: {name} is not a setting: {hint}"


def _is_secret(name: str) -> bool:
    return "key" in name or "password" in name


def _default_out(questions: str, settings: Settings, axes: object, options: Mapping[str, Any]) -> str:
    """The same folder for the same command, so that repeating it goes on with an interrupted run."""
    given = settings.model_dump(mode="json", exclude={"debug"})
    asked = [given, axes, options["where"], options["no_answers"], options["depth"]]
    digest = hashlib.sha256(json.dumps(asked, default=str, sort_keys=True).encode()).hexdigest()
    return f"runs/{Path(questions).stem}-{digest[:8]}"


def carry_out(plan: Plan, *, as_json: bool) -> int:
    """Run every variant, write the reports, print the outcome, and return the exit code."""
    variants = grid(plan.axes)
    shared = _Shared(new_meter(plan.settings))
    fixed = {name: options[0] for name, options in plan.axes.items() if len(set(options)) == 1}
    outcomes: dict[str, EvaluationOutcome] = {}
    for variant in variants:
        settings = changed(plan.settings, {**fixed, **variant.settings}, cache=len(variants) > 1)
        folder = plan.out / variant.name if len(variants) > 1 else plan.out
        if len(variants) > 1:
            tell(f"{len(outcomes) + 1} of {len(variants)}: {variant.name}")
        outcomes[variant.name] = _run_variant(plan, settings, folder, shared)
        if outcomes[variant.name].budget:
            break
    return _conclude(plan, outcomes, as_json)


def changed(settings: Settings, values: Mapping[str, Any], *, cache: bool = False) -> Settings:
    """Settings with other values, checked. Identical calls of a sweep are paid for once (`cache`)."""
    fields = settings.model_dump() | dict(values)
    if cache:
        fields["cache"] = True
    try:
        return type(settings).model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise UsageError(f"{first['loc'][0]}: {first['msg'].lower()}.") from None


@dataclass(slots=True)
class _Shared:
    """What the variants share: one running bill with its cap, and the result lists of each way to search."""

    meter: Meter
    found: dict[tuple[object, ...], dict[str, list[Passage]]] = field(default_factory=dict)

    def found_by(self, settings: Settings) -> dict[str, list[Passage]]:
        """The result lists of those variants that find the same."""
        way: tuple[object, ...] = (settings.index, settings.glossary)
        if settings.expand or settings.rerank:
            model = settings.model if asks_model(settings) else None
            way += (settings.expand, settings.rerank, settings.rerank_depth, model)
        return self.found.setdefault(way, {})


def _run_variant(plan: Plan, settings: Settings, folder: Path, shared: _Shared) -> EvaluationOutcome:
    if "chunk_tokens" in plan.axes:
        settings = changed(settings, {"index": _rechunked(plan, settings)})
    helped = asks_model(settings)
    if not plan.answers and not helped:
        settings = changed(settings, {"model": "extractive"})
    # a run is of one state of the index, whatever is ingested meanwhile
    opened = Pipeline.open(settings=settings, notify=tell, command="eval", meter=shared.meter, follow=False)
    with opened as pipeline:
        found = shared.found_by(settings)
        evaluated = EvaluatedPipeline(pipeline, where=plan.where, depth=plan.depth, found=found)
        described = {**describe(pipeline, where=plan.where), "depth": plan.depth}
        if not plan.answers:
            model = {} if helped else {"model": None, "model_fingerprint": None}
            described = {**described, **model, "answers": False}
        with (
            _telling_what_is_kept(folder, len(plan.questions), settings),
            _progress(len(plan.questions)) as progress,
        ):
            return evaluate(
                plan.questions,
                folder,
                ask=evaluated.ask if plan.answers else None,
                search=evaluated.search,
                settings={name: value for name, value in described.items() if value is not None},
                workers=plan.jobs,
                progress=progress,
                restart=plan.restart,
            )


def asks_model(settings: Settings) -> bool:
    """Whether a chat model helps the search."""
    return bool(settings.expand) or settings.rerank == "chat"


def _rechunked(plan: Plan, settings: Settings) -> str:
    """An index of the same documents with another chunk size, made beside the runs and brought up to date."""
    with open_index(plan.settings.index) as index:
        if index.spec.chunk_tokens == settings.chunk_tokens:
            return plan.settings.index
        embeddings, generation = index.spec.embedding_model, index.generation
        documents = tuple(one for one in index.documents() if is_on_disk(one.path))
    location = plan.out / "indexes" / f"chunk_tokens={settings.chunk_tokens}"
    # a second ingest would only raise the generation, and a run over the earlier one could not go on
    mark = location / "made-from.json"
    if not mark.exists() or mark.read_text() != str(generation):
        tell(f"Indexing with chunks of {settings.chunk_tokens} tokens: {location}")
        ingest(
            [path_of(one.path) for one in documents],
            settings=changed(settings, {"index": str(location), "embeddings": embeddings}),
            options=IngestOptions(names_of=documents),
        )
        mark.write_text(str(generation))
    return str(location)


@contextmanager
def _telling_what_is_kept(folder: Path, total: int, settings: Settings) -> Iterator[None]:
    """Give an interruption a sentence on the answers that are kept."""
    try:
        yield
    except KeyboardInterrupt:
        kept = sum(not record.failed for record in load_run(folder).records)
        language = choose_language(settings.language)
        raise KeyboardInterrupt(
            message("command.stopped_eval", language, count=kept, all=total, folder=folder)
        ) from None


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A callback for `evaluate` that moves the bar of the command line."""
    bar = track(range(total), "Asking")
    at = 0

    def moved(progress: Any) -> None:
        nonlocal at
        while at < progress.done:
            next(bar, None)
            at += 1

    try:
        yield moved
    finally:
        bar.close()  # type: ignore[attr-defined]  # a generator: leaves the bar in order


def _conclude(plan: Plan, outcomes: Mapping[str, EvaluationOutcome], as_json: bool) -> int:
    runs = {name: outcome.run for name, outcome in outcomes.items() if outcome.run.records}
    if not runs:
        return _budget(outcomes)
    before = load_run(plan.against) if plan.against is not None else None
    comparisons = {name: compare(before, run) for name, run in runs.items()} if before else {}
    summaries = {name: write_reports(run, plan.settings, comparisons.get(name)) for name, run in runs.items()}
    chosen = next(iter(runs))
    if len(runs) > 1:
        sweep = write_sweep(runs, plan.out, plan.metric, plan.settings)
        chosen = sweep.recommended.name
        show_sweep(sweep, plan.out, as_json=as_json)
    else:
        show_run(runs[chosen], summaries[chosen], comparisons.get(chosen), as_json=as_json)
    failures = missed(runs[chosen].records, plan.limits)
    worse = chosen in comparisons and comparisons[chosen].verdict in (Verdict.WORSE, Verdict.MIXED)
    if plan.fail_if_worse and worse:
        failures.append(f"{chosen} is worse than {plan.against}.")
    for sentence in failures:
        tell(sentence)
    if failures:
        return EXIT_FAILED
    return _budget(outcomes) or _failed(runs)


def _budget(outcomes: Mapping[str, EvaluationOutcome]) -> int:
    for outcome in outcomes.values():
        if outcome.budget:
            tell(outcome.budget)
            return EXIT_BUDGET
    return EXIT_DONE


def _failed(runs: Mapping[str, Run]) -> int:
    failed = [record for run in runs.values() for record in run.records if record.failed]
    if failed:
        many = f"{len(failed)} questions failed, the first with" if len(failed) > 1 else "1 question failed"
        again = "them" if len(failed) > 1 else "it"
        tell(f"{many}: {failed[0].error} Run the same command to ask {again} again.")
    return EXIT_PARTLY if failed else EXIT_DONE
