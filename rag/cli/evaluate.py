"""`rag eval`: measure answers against a question set, once or over a grid of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rag.cli.options import HELPED, examples, json_option, where_option, with_settings

if TYPE_CHECKING:
    from rag.settings import Settings

_TOOLS = "rag.cli.evaluate_tools"


class RunByDefault(click.Group):
    """A group whose first word may be a question set: `rag eval set.jsonl` is `rag eval run set.jsonl`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own_help = args and args[0] in ctx.help_option_names
        if args and args[0] not in self.list_commands(ctx) and not own_help:
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return ["run", "make", "report", "judge", "export"]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name == "run":
            return run_command
        if name not in self.list_commands(ctx):
            return None
        from importlib import import_module

        found = getattr(import_module(_TOOLS), name)
        assert isinstance(found, click.Command)
        return found


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


@click.command(
    "run",
    epilog=examples(
        "rag eval questions.jsonl --out runs/baseline",
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
@click.option("--restart", is_flag=True, help="Throw away what an earlier run left in the folder.")
@click.option(
    "--against", type=click.Path(file_okay=False, exists=True), metavar="RUN", help="Compare with RUN."
)
@click.option("--fail-if-worse", is_flag=True, help="Exit with 1 when it is worse than --against.")
@click.option("--fail-under", multiple=True, metavar="METRIC=X", help="Exit with 1 below, as page_hit@5=0.6.")
@where_option
@json_option
@with_settings(*HELPED, "temperature", "max_tokens", "max_cost", "abstain", "strict", "cache")
def run_command(settings: Settings, questions: str, as_json: bool, **options: object) -> int:
    """Ask every question of QUESTIONS and measure retrieval, answers, citations and abstention."""
    from rag.cli.evaluate_run import Plan, carry_out

    return carry_out(Plan.from_options(settings, questions, options), as_json=as_json)
