"""`rag eval make`, `report`, `judge` and `export`: what surrounds a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.boundary import EXIT_BUDGET, EXIT_DONE
from rag.cli.opening import tell
from rag.cli.options import examples, json_option, with_settings
from rag.errors import UsageError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from rag.evaluation.judge import Agreement, Judged
    from rag.settings import Settings

_run_argument = click.argument("run", type=click.Path(exists=True, file_okay=False))


@click.command(
    epilog=examples(
        "rag eval make --out questions.jsonl -n 60",
        "rag eval make --out questions.jsonl -n 40 --model openai:gpt-4o-mini --max-cost 0.50",
        note="Read the draft and mend it: a wrong gold answer measures nothing.",
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
@with_settings("model", "max_cost", "cache")
def make(
    settings: Settings, out: str, count: int, unanswerable: float, rules: bool, seed: int, force: bool
) -> int:
    """Draft a question set from the index, each question with its gold page and the sentence it is from.

    With a chat model it writes them; without one, sentences with figures and dates are turned into questions.
    """
    if Path(out).exists() and not force:
        raise UsageError(f"{out} exists and may hold your edits: choose another --out, or --force.")
    _check_writable(Path(out))
    from rag.cli.receipts import receipt
    from rag.evaluation.drafts import draft_questions, model_writer
    from rag.evaluation.question_sets import write_questions
    from rag.evaluation.running import pages_of
    from rag.providers.registry import default_specs
    from rag.store import open_index

    spec = "extractive" if rules else default_specs(settings)[0]
    with open_index(settings.index, notify=tell) as index, receipt(settings, "eval make"):
        writer = None if spec == "extractive" else model_writer(_model(spec, settings))
        questions = draft_questions(
            pages_of(index), count, unanswerable=unanswerable, write=writer, seed=seed
        )
    if not questions:
        raise UsageError(f"{settings.shown_index} holds no page to ask about: see `rag status`.")
    write_questions(questions, out)
    declined = sum(not question.answerable for question in questions)
    by = "by rule" if writer is None else f"by {spec}"
    tell(
        f"{out}: {len(questions)} questions drafted {by}, {declined} of them unanswerable. Read and mend them."
    )
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


@click.command(epilog=examples("rag eval report runs/concise --against runs/baseline"))
@_run_argument
@click.option(
    "--against", type=click.Path(exists=True, file_okay=False), metavar="RUN", help="Compare with RUN."
)
@json_option
@with_settings()
def report(settings: Settings, run: str, against: str | None, as_json: bool) -> int:
    """Compute the figures of RUN again from its records, and write its reports anew."""
    from rag.cli.evaluate_show import show_run, write_reports
    from rag.evaluation.compare import compare
    from rag.evaluation.runs import load_run

    loaded = load_run(run)
    comparison = compare(load_run(against), loaded) if against else None
    show_run(loaded, write_reports(loaded, settings, comparison), comparison, as_json=as_json)
    return EXIT_DONE


@click.command(
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
    """Let a chat model judge the answers of RUN: faithfulness and correctness, and whether to believe it.

    The agreement with the figures that need no judge says how far its judgement can be trusted.
    """
    from rag.cli.receipts import receipt
    from rag.evaluation.judge import judge_run
    from rag.evaluation.runs import load_run
    from rag.providers.registry import default_specs

    spec = default_specs(settings)[0]
    if spec == "extractive":
        raise UsageError("Judging needs a chat model: give one with --model provider:model.")
    with receipt(settings, "eval judge"):
        judged = judge_run(load_run(run), _model(spec, settings), prompt=judge_prompt)
    if as_json:
        from rag.cli.forms import print_json

        print_json({"run": run, "model": spec, **judged.as_dict()})
    else:
        _show(judged)
    if judged.budget:
        tell(judged.budget)
        return EXIT_BUDGET
    return EXIT_DONE


@click.command(epilog=examples("rag eval export runs/baseline --out ragas.jsonl"))
@_run_argument
@click.option("--out", required=True, type=click.Path(dir_okay=False), metavar="FILE", help="Where to write.")
def export(run: str, out: str) -> int:
    """Write RUN as a RAGAS evaluation dataset (JSON Lines)."""
    from rag.evaluation.export import write_ragas
    from rag.evaluation.runs import load_run

    tell(f"{out}: {write_ragas(load_run(run).records, out)} answers. EvaluationDataset.from_jsonl reads it.")
    return EXIT_DONE


def _model(spec: str, settings: Settings) -> BaseChatModel:
    from rag.providers.offline import apply_offline
    from rag.providers.registry import chat_model

    apply_offline(settings)
    return chat_model(spec, settings)


def _show(judged: Judged) -> None:
    from rag.cli.tables import print_table

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
