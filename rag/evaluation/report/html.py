"""The HTML reports of a run and of a sweep: one file each that loads nothing, rendered by Jinja with autoescape."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from functools import cache
from itertools import groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rag.evaluation import metrics
from rag.evaluation.compare import Comparison
from rag.evaluation.metrics import METRICS, Summary
from rag.evaluation.page_metrics import distinct_pages, gold_found, on_gold
from rag.evaluation.report import charts, formatting
from rag.evaluation.runs import Record, Run
from rag.evaluation.statistics import Interval
from rag.evaluation.sweep import Sweep
from rag.messages import Language, texts

FILTERS = ("wrong", "missed", "unverified", "declined", "invented", "failed", "flipped")
"""The filters over the list of questions, named by what went wrong."""
_HEADLINE_METRICS = (
    "page_hit@5", "mrr@10", "answer_right", "answer_f1", "first_citation_hit", "citations_proven",
    "abstention_accuracy", "auroc", "cost_usd", "seconds_p50",
)  # fmt: skip
_SLICE_METRICS = ("page_hit@5", "answer_right", "answer_f1", "first_citation_hit", "wrongly_abstained")
_MAX_SLICES = 60
_MAX_PAGES = 10
_PAGE_HIT_DEPTH = 5


def html_report(
    run: Run, summary: Summary, *, comparison: Comparison | None = None, language: Language = "en"
) -> str:
    """The report of a run, against an earlier one when a comparison is given.

    `language` is the one shown first; a button changes it. The page forbids itself every request by its
    content security policy, which names its one style sheet and its one script by their hashes.
    """
    flips = {flip.id: flip for flip in comparison.flips} if comparison else {}
    rows: list[dict[str, Any]] = [
        {
            "record": record,
            "failures": failures(record) + (["flipped"] if record.id in flips else []),
            "right": metrics.is_right(record),
            "flip": flips.get(record.id),
            "gold": metrics.gold_pages(record),
            "pages": _pages(record),
        }
        for record in run.records
    ]
    return _render(
        "run.html",
        language,
        title=run.name,
        run=run,
        total=int(run.manifest.get("questions", len(run.records))),
        summary=summary,
        headline=[name for name in _HEADLINE_METRICS if name in summary.figures],
        plots=charts.run_plots(run.records, summary),
        groups=[
            (group, list(figures))
            for group, figures in groupby(summary.figures.items(), key=lambda row: METRICS[row[0]].group)
        ],
        slices=[_slice(name, by_value) for name, by_value in summary.slices.items()],
        rows=rows,
        filters={name: n for name in FILTERS if (n := sum(name in row["failures"] for row in rows))},
        settings=[(name, value) for name, value in _flat(run.settings) if value not in (None, "", [], {})],
        comparison=comparison,
        changes=[[c for c in comparison.changes if c.shown is shown] for shown in (True, False)]
        if comparison
        else (),
    )


def sweep_html(sweep: Sweep, *, title: str, language: Language = "en") -> str:
    """One self-contained page; each run's name leads to its own report beside it."""
    n = max((entry.quality.n for entry in sweep.entries), default=0)
    return _render("sweep.html", language, title=title, n=n, sweep=sweep, plot=charts.sweep_plot(sweep))


def failures(record: Record) -> list[str]:
    """The filters that a question falls under."""
    answer, answerable = record.answer, record.question.answerable
    answered = answer is not None and answer.answered
    found = {
        "wrong": metrics.is_right(record) is False,
        "missed": metrics.page_hit(_PAGE_HIT_DEPTH)(record) == 0.0,
        "unverified": answer is not None and not all(c.verified for c in answer.citations),
        "declined": answerable and answer is not None and not answered,
        "invented": not answerable and answered,
        "failed": record.failed,
    }
    return [name for name, applies in found.items() if applies]


def _pages(record: Record) -> list[tuple[Any, bool]]:
    """The first distinct pages that were found, each with whether it is a gold page."""
    pages = distinct_pages(record.found)[:_MAX_PAGES]
    gold = gold_found(pages, metrics.gold_pages(record))
    return [(page, bool(found)) for page, found in zip(pages, gold, strict=True)]


def _slice(name: str, by_value: Mapping[str, Mapping[str, Interval]]) -> dict[str, Any]:
    sizes = {value: max((f.n for f in figures.values()), default=0) for value, figures in by_value.items()}
    largest = sorted(by_value, key=lambda value: -sizes[value])[:_MAX_SLICES]
    return {
        "name": name,
        "metrics": [m for m in _SLICE_METRICS if any(m in figures for figures in by_value.values())],
        "rows": [(value, sizes[value], by_value[value]) for value in largest],
    }


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in settings.items():
        flat += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return flat


def _render(template: str, language: Language, **values: Any) -> str:
    environment = _environment()
    style, script = (_resource(name) for name in ("page.css", "page.js"))
    return environment.get_template(template).render(
        language=language,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_hash=_hash(style),
        script_hash=_hash(script),
        **values,
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rag.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=formatting.without_controls,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        METRICS=METRICS,
        t=_in_both_languages,
        metric_texts=formatting.metric_texts,
        number=formatting.number,
        interval_text=formatting.interval_text,
        signed=formatting.signed,
        difference_interval=formatting.difference_interval,
        smallest_visible_change=formatting.smallest_visible_change,
        gauge=charts.gauge,
        on_gold=on_gold,
        isnan=math.isnan,
        quote_path=quote,
    )
    return environment


def _in_both_languages(key: str, tag: str = "span", class_: str = "", **values: object) -> Markup:
    """The message `report.KEY` in both languages; the style sheet shows the one that is chosen."""
    clean = {name: formatting.without_controls(str(value)) for name, value in values.items()}
    return Markup("").join(
        Markup('<{tag} class="{css}" lang="{language}">{text}</{tag}>').format(
            tag=tag, css=f"t {class_}".strip(), language=language, text=text.format(**clean)
        )
        for language, text in texts(f"report.{key}").items()
    )


@cache
def _resource(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
