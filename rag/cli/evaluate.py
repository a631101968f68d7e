"""`rag eval`: measure answers against a question set, once or over a grid of settings, and what surrounds a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.app import EXIT_BUDGET, EXIT_DONE
from rag.cli.cost import usage_logged
from rag.cli.evaluate_run import Plan, carry_out
from rag.cli.evaluate_show import show_run, write_reports
from rag.cli.options import SEARCH_MODEL, examples, json_option, where_option, with_settings
from rag.cli.output import print_json, print_table, tell
from rag.errors import UsageError
from rag.evaluation.compare import compare
from rag.evaluation.drafts import draft_questions, model_writer
from rag.evaluation.judge import Agreement, Judged, judge_run
from rag.evaluation.question_sets import write_questions
from rag.evaluation.running import pages_of
from rag.evaluation.runs import load_run, write_ragas
from rag.messages import choose_language, message
from rag.providers.registry import chat_model, default_specs
from rag.store import open_index

if TYPE_CHECKING:
    from rag.settings import Settings


class RunByDefault(click.Group):
    """A group whose first word may be a question set: `rag eval set.jsonl` is `rag eval run set.jsonl`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own_help = args and args[0] in ctx.help_option_names
        if args and args[0] not in self.commands and not own_help:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=RunByDefault,
    epilog=examples(
        "rag eval make --out questions.jsonl -n 60",
        "rag eval questions.jsonl --out runs/baseline",
        "rag eval questions.jsonl --prompt few-shot --prompt concise -k 4 -k 8 --out runs/grid",
        "rag compare runs/baseline runs/concise --fail-if-worse",
        note="`rag eval QUESTIONS` is `rag eval run QUESTIONS`; see `rag eval run --help` for its options.",
    ),
)
def command() -> None:
    """Measure answers against a question set: draft one, run it, report, judge, export."""


@command.command(
    "run",
    epilog=examples(
        "rag eval run questions.jsonl --out runs/baseline",
        "rag eval questions.jsonl --no-answers --out runs/search",
        "rag eval questions.jsonl --prompt concise --against runs/baseline --fail-if-worse",
        "rag eval questions.jsonl --model extractive --model gguf:model.gguf --vary temperature=0,0.7",
        note="An interrupted run goes on where it stopped. Exit codes: 0 done, 1 worse or below a limit, 3 some "
        "questions failed, 5 cost cap reached.",
    ),
)
@click.argument("questions", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--out", type=click.Path(file_okay=False), metavar="DIR", help="Run folder (default runs/NAME-HASH)."
)
@click.option("--model", "models", multiple=True, metavar="SPEC", help="Chat model; repeat to sweep.")
@click.option("--prompt", "prompts", multiple=True, metavar="NAME|FILE", help="Template; repeat to sweep.")
@click.option(
    "-k",
    "--k",
    "ks",
    multiple=True,
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Passages; repeat to sweep.",
)
@click.option(
    "--chunk-tokens", "chunks", multiple=True, type=click.IntRange(32, 480), metavar="N",
    help="Chunk size, each in an index of its own; repeat to sweep.",
)  # fmt: skip
@click.option(
    "--vary", multiple=True, metavar="NAME=V1,V2", help="Sweep any other setting, such as temperature=0,0.5."
)
@click.option("--metric", metavar="NAME", help="What a sweep is ranked by (default answer_right).")
@click.option("--no-answers", is_flag=True, help="Measure retrieval alone; no model answers.")
@click.option(
    "--depth",
    type=click.IntRange(1, 200),
    default=20,
    show_default=True,
    help="Passages to judge retrieval by.",
)
@click.option("--jobs", type=click.IntRange(1, 64), metavar="N", help="Questions at a time (default 4).")
@click.option("--restart", is_flag=True, help="Discard what an earlier run left in the folder.")
@click.option(
    "--against", type=click.Path(file_okay=False, exists=True), metavar="RUN", help="Compare with RUN."
)
@click.option("--fail-if-worse", is_flag=True, help="Exit with 1 when it is worse than --against.")
@click.option("--fail-under", multiple=True, metavar="METRIC=X", help="Exit with 1 below, as page_hit@5=0.6.")
@where_option
@json_option
@with_settings(*SEARCH_MODEL, "temperature", "max_tokens", "max_cost", "abstain", "strict", "cache")
def run_command(settings: Settings, questions: str, as_json: bool, **options: object) -> int:
    """Ask every question of QUESTIONS and measure retrieval, answers, citations and abstention."""
    return carry_out(Plan.from_options(settings, questions, options), as_json=as_json)


_run_argument = click.argument("run", type=click.Path(exists=True, file_okay=False))


@command.command(
    epilog=examples(
        "rag eval make --out questions.jsonl -n 60",
        "rag eval make --out questions.jsonl -n 40 --model openai:gpt-4o-mini --max-cost 0.50",
        note="Read the draft and fix it: a wrong gold answer measures nothing.",
    )
)
@click.option("--out", required=True, type=click.Path(dir_okay=False), metavar="FILE", help="Where to write.")
@click.option("-n", "count", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many.")
@click.option(
    "--unanswerable", type=click.FloatRange(0, 1), default=0.25, show_default=True, metavar="SHARE",
    help="Share whose document is left out when they are asked.",
)  # fmt: skip
@click.option("--rules", is_flag=True, help="Make them by rule although a model is set.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed picks other pages.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@json_option
@with_settings("model", "max_cost", "cache")
def make(
    settings: Settings,
    out: str,
    count: int,
    unanswerable: float,
    rules: bool,
    seed: int,
    force: bool,
    as_json: bool,
) -> int:
    """Draft a question set from the index, each question with its gold page and the sentence it is from.

    With a chat model it writes them; without one, sentences of a few shapes with a figure or date become questions.
    """
    if Path(out).exists() and not force:
        raise UsageError(f"{out} exists and may hold your edits: choose another --out, or --force.")
    _check_writable(Path(out))
    spec = "extractive" if rules else default_specs(settings)[0]
    with open_index(settings.index, notify=tell) as index, usage_logged(settings, "eval make"):
        writer = None if spec == "extractive" else model_writer(chat_model(spec, settings, notify=tell))
        questions = draft_questions(
            pages_of(index), count, unanswerable=unanswerable, write=writer, seed=seed
        )
    if not questions:
        raise UsageError(
            f"{settings.shown_index} holds no page to ask about by rule: see `rag status`, or name a --model."
            if writer is None
            else f"{settings.shown_index} holds no page to ask about: see `rag status`."
        )
    write_questions(questions, out)
    declined = sum(not question.answerable for question in questions)
    if as_json:
        print_json({"file": out, "questions": len(questions), "unanswerable": declined, "model": spec})
    else:
        by = "by rule" if writer is None else f"by {spec}"
        tell(
            f"{out}: {len(questions)} questions drafted {by}, {declined} of them unanswerable. Read and fix them."
        )
        if writer is None and len(questions) < count:
            tell(message("command.drafts_by_rule", choose_language(settings.language), count=count))
    return EXIT_DONE


def _check_writable(path: Path) -> None:
    """Open the file as it will be opened at the end: a draft that a model was paid for must find its place.

    Raises OSError when it cannot be written; leaves what is there as it is.
    """
    if path.exists() and not path.is_file():  # a pipe or /dev/stdout: opening it is already a use of it
        return
    new = not path.exists()
    path.open("ab").close()
    if new:
        path.unlink()


@command.command(epilog=examples("rag eval report runs/concise --against runs/baseline"))
@_run_argument
@click.option(
    "--against", type=click.Path(exists=True, file_okay=False), metavar="RUN", help="Compare with RUN."
)
@json_option
@with_settings()
def report(settings: Settings, run: str, against: str | None, as_json: bool) -> int:
    """Compute the figures of RUN again from its records, and write its reports again."""
    loaded = load_run(run)
    comparison = compare(load_run(against), loaded) if against else None
    show_run(loaded, write_reports(loaded, settings, comparison), comparison, as_json=as_json)
    return EXIT_DONE


@command.command(
    epilog=examples(
        "rag eval judge runs/baseline --model openai:gpt-4o --max-cost 1",
        "rag eval judge runs/baseline --model gguf:judge.gguf --judge-prompt strict.yaml",
    )
)
@_run_argument
@click.option("--judge-prompt", default="judge", metavar="FILE", help="A YAML file with `system` and `user`.")
@json_option
@with_settings("model", "max_cost", "cache")
def judge(settings: Settings, run: str, judge_prompt: str, as_json: bool) -> int:
    """Let a chat model judge the answers of RUN for faithfulness and correctness.

    The agreement with the figures that need no judge says how far its judgement can be trusted.
    """
    spec = default_specs(settings)[0]
    if spec == "extractive":
        raise UsageError("Judging needs a chat model: give one with --model provider:model.")
    with usage_logged(settings, "eval judge"):
        judged = judge_run(load_run(run), chat_model(spec, settings, notify=tell), prompt=judge_prompt)
    if as_json:
        print_json({"run": run, "model": spec, **judged.as_dict()})
    else:
        _show(judged)
    if judged.budget:
        tell(judged.budget)
        return EXIT_BUDGET
    return EXIT_DONE


@command.command(epilog=examples("rag eval export runs/baseline --out ragas.jsonl"))
@_run_argument
@click.option("--out", required=True, type=click.Path(dir_okay=False), metavar="FILE", help="Where to write.")
@json_option
@with_settings()
def export(settings: Settings, run: str, out: str, as_json: bool) -> int:  # noqa: ARG001 - arms --offline
    """Write RUN as a RAGAS evaluation dataset (JSON Lines)."""
    count = write_ragas(load_run(run).records, out)
    if as_json:
        print_json({"file": out, "answers": count})
    else:
        tell(f"{out}: {count} answers. EvaluationDataset.from_jsonl reads it.")
    return EXIT_DONE


def _show(judged: Judged) -> None:
    def row(name: str, value: float, low: float, high: float, agreement: Agreement) -> tuple[str, ...]:
        return (
            name,
            f"{value:.1%}",
            f"{low:.1%} to {high:.1%}",
            f"{agreement.share:.1%}",
            f"{agreement.kappa:.2f}",
            str(agreement.n),
        )

    one, other = judged.faithfulness, judged.correctness
    print_table(
        ("judged", "mean", "95 % interval", "agreement", "kappa", "n"),
        [
            row("faithfulness", one.value, one.low, one.high, judged.faithfulness_agreement),
            row("correctness", other.value, other.low, other.high, judged.correctness_agreement),
        ],
        right=(1, 2, 3, 4, 5),
    )
    if judged.unread:
        click.echo(f"{judged.unread} replies held no judgement.")
