"""The HTML report: one file that loads nothing, with everything a run holds."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from string import Template

from rag.evaluation.compare import Comparison
from rag.evaluation.report import sections
from rag.evaluation.report.figures import plots
from rag.evaluation.report.markup import Markup, element, escape, join, say
from rag.evaluation.report.questions import question_list
from rag.evaluation.report.strings import Language
from rag.evaluation.runs import Run
from rag.evaluation.summary import Summary


def html_report(
    run: Run, summary: Summary, *, comparison: Comparison | None = None, language: Language = "en"
) -> str:
    """The report of a run, against an earlier one when a comparison is given.

    `language` is the one shown first; a button changes it. The page forbids itself every request by its
    content security policy, which names its one style sheet and its one script by their hashes.
    """
    return page(
        run.name,
        [
            _headline(summary),
            sections.comparison_section(comparison) if comparison is not None else None,
            _plots(run, summary),
            _tables(summary),
            question_list(run.records, comparison),
            _settings(run),
        ],
        count=_count(run),
        language=language,
    )


def page(title: str, body: list[Markup | None], *, count: Markup, language: Language) -> str:
    """A whole page around some sections."""
    style, script = (_resource(name) for name in ("page.css", "page.js"))
    content = join([_header(title, count), element("main", *body), _footer()])
    return Template(_resource("page.html")).substitute(
        language=language,
        title=escape(f"{title} – pagequote"),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        body=content,
    )


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _header(title: str, count: Markup) -> Markup:
    language = element("button", "English / 한국어", type="button", id="language")
    theme = element("button", say("theme"), type="button", id="theme")
    return element(
        "header",
        element("div", element("h1", say("title"), ": ", title), count),
        element("div", language, theme, class_="switches"),
    )


def _count(run: Run) -> Markup:
    total = int(run.manifest.get("questions", len(run.records)))
    if run.complete:
        return say("questions_count", "p", "note", n=total)
    return say("unfinished", "p", "note", done=len(run.records), n=total)


def _headline(summary: Summary) -> Markup:
    return element(
        "section",
        say("headline", "h2"),
        say("headline_note", "p", "note"),
        sections.cards(summary),
        id="headline",
    )


def _plots(run: Run, summary: Summary) -> Markup | None:
    drawn = plots(run.records, summary)
    if not drawn:
        return None
    return element("section", say("plots", "h2"), element("div", *drawn, class_="plots"), id="plots")


def _tables(summary: Summary) -> Markup:
    sliced = sections.slice_tables(summary)
    return element(
        "div",
        element(
            "details", element("summary", say("metrics")), sections.metrics_table(summary), class_="folded"
        ),
        element("details", element("summary", say("slices")), *sliced, class_="folded") if sliced else None,
    )


def _settings(run: Run) -> Markup | None:
    if not run.settings:
        return None
    return element("section", say("settings", "h2"), sections.settings_list(run.settings), id="settings")


def _footer() -> Markup:
    return element("footer", say("made_by", "p", "note"))
