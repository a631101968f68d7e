"""Reports: complete, in two languages, and nothing that a document or a model wrote becomes markup."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
from dataclasses import replace

import pytest

from rag.evaluation.compare import compare
from rag.evaluation.metrics import METRICS, summarise
from rag.evaluation.question_sets import Evidence, Question
from rag.evaluation.report.formatting import metric_texts
from rag.evaluation.report.html import html_report, sweep_html
from rag.evaluation.report.markdown import comparison_markdown, plain, run_markdown, sweep_markdown
from rag.evaluation.runs import Record
from rag.evaluation.sweep import grid, sweep_table
from rag.types import QuoteStatus
from tests.evaluation.builders import citation, question, record
from tests.evaluation.trials import as_run, noisy_run, spoil

HOSTILE = (
    '<script>alert(1)</script><img src=x onerror=alert(1)>"\' onload="x"><style>*{display:none}</style>'
    "<a href='javascript:alert(1)'>x</a>{question} $title ${body} </script></details> \u202eevil\x00"
    " ![i](http://x.y/z.png) [x](y) | `c` @all"
)


def hostile_run() -> list[Record]:
    asked = Question(
        HOSTILE, HOSTILE, (HOSTILE,), evidence=(Evidence(HOSTILE, 1, HOSTILE),), kind=HOSTILE, language="en"
    )
    cited = [replace(citation(HOSTILE, 1, status), quote=HOSTILE, note=HOSTILE) for status in QuoteStatus]
    other = question("other", kind="plain")
    return [
        record(asked, HOSTILE, pages=[(HOSTILE, 1)], cited=cited),
        record(other, None),
        Record(question("failed", kind="plain"), error=HOSTILE),
    ]


class Reader(html.parser.HTMLParser):
    """Collects tags, attributes and text, and checks that elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "input"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def page() -> str:
    run = as_run(hostile_run(), HOSTILE.replace("/", ""), model=HOSTILE)
    before = as_run([replace(r, answer=None, error="x") for r in hostile_run()], "before")
    return html_report(run, summarise(run.records), comparison=compare(before, run))


def test_hostile_texts_stay_texts(page: str) -> None:
    reader = Reader(page)
    assert reader.tags.count("script") == 1
    assert reader.tags.count("style") == 1
    assert not {"img", "iframe", "object", "link", "base", "form", "a"} & set(reader.tags)
    names = {name for name, _ in reader.attributes}
    assert not {name for name in names if name.startswith("on")} | {"style", "src"} & names
    assert "".join(reader.text).count("alert(1)") >= 8  # it is all there, as text
    assert "\u202e" not in page
    assert "\x00" not in page


def test_nothing_can_be_requested(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert inside is not None
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy[1]
    assert "url(" not in page
    assert "@import" not in page


def test_every_question_and_metric_is_in_the_report() -> None:
    run = as_run(noisy_run(25, 1, 1), "run")
    summary = summarise(run.records)
    reader = Reader(html_report(run, summary))
    text = "".join(reader.text)
    for one in run.records:
        assert one.question.question in text
    for name in summary.figures:
        assert name in text
    identities = [value for name, value in reader.attributes if name == "id"]
    assert len(identities) == len(set(identities))


def test_every_metric_has_a_name_in_both_languages() -> None:
    for name in METRICS:
        assert all(metric_texts(name).values())


def test_the_language_is_that_of_the_reader() -> None:
    run = as_run(noisy_run(10, 1, 1), "run")
    summary = summarise(run.records)
    assert '<html lang="ko" data-language="ko">' in html_report(run, summary, language="ko")
    assert "평가 보고서" in run_markdown(run, summary, "ko")


def test_markdown_cannot_be_broken_out_of() -> None:
    run = as_run(hostile_run(), "run")
    before = as_run([replace(r, answer=None, error="x") for r in hostile_run()], "before")
    text = comparison_markdown(compare(before, run)) + run_markdown(run, summarise(run.records))
    for row in (line for line in text.splitlines() if line.startswith("|")):
        cells = re.split(r"(?<!\\)\|", row)
        assert len(cells) in (5, 6, 8)
    # without code spans, nothing is left that opens a tag, an image, a link or a mention
    assert not re.search(r"(?<!\\)[<@!\[]", re.sub(r"`[^`\n]*`", "", text).replace("**", ""))
    assert "http://" not in text


def test_plain_is_one_short_line() -> None:
    assert plain("a\n b\t| c", 100) == r"a b \| c"
    assert len(plain("가" * 1000)) == 160


def test_a_comparison_in_markdown_names_verdict_and_flips() -> None:
    before = noisy_run(120, 1, 1)
    comparison = compare(as_run(before, "baseline", k=8), as_run(spoil(before, 0.2, 1), "changed", k=4))
    text = comparison_markdown(comparison)
    assert text.startswith("## changed: Worse\n")
    assert "- k: 8 → 4" in text
    assert "Nobody can tell from this." in text
    assert "| Question | Before | After |" in text
    assert "| 질문 | 이전 | 이후 |" in comparison_markdown(comparison, "ko")


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_a_comparison_says_how_small_a_change_it_could_have_shown(loss: float) -> None:
    before = noisy_run(120, 1, 1)
    comparison = compare(as_run(before, "baseline"), as_run(spoil(before, loss, 1), "changed"))
    points = f"{comparison.change('answer_right').visible * 100:.0f}"
    sentence = f"a change of less than about {points} points in answers right could not be seen."
    assert sentence in comparison_markdown(comparison)
    assert f"정답률이 약 {points}점 미만" in comparison_markdown(comparison, "ko")
    run = comparison.after
    assert sentence in html_report(run, summarise(run.records), comparison=comparison)


def test_where_only_the_search_was_measured_the_smallest_change_is_one_of_pages() -> None:
    records = [replace(one, answer=None) for one in noisy_run(30, 1, 1)]
    comparison = compare(as_run(records, "a"), as_run(records, "b"))
    assert "points in pages found could not be seen" in comparison_markdown(comparison)


def test_too_few_questions_do_not_promise_more_than_all_of_them() -> None:
    records = noisy_run(4, 1, 1)
    comparison = compare(as_run(records, "a"), as_run(records, "b"))
    assert "less than about 100 points" in comparison_markdown(comparison)


def test_a_sweep_names_the_best_and_what_is_as_good_but_cheaper() -> None:
    variants = [variant.name for variant in grid({"prompt": ["concise", "few-shot"], "k": [8]})]
    assert variants == ["prompt=concise", "prompt=few-shot"]
    asked = [question(f"q{i}", answers=[f"answer {i}"]) for i in range(60)]
    rights = {"dear": range(58), "cheap": range(57), "bad": range(30), "slow": range(57)}
    costs = {"dear": 0.01, "cheap": 0.001, "bad": 0.0001, "slow": 0.02}
    runs = {
        name: as_run(
            [record(q, f"answer {i}" if i in good else "no", cost=costs[name]) for i, q in enumerate(asked)],
            name,
        )
        for name, good in rights.items()
    }
    sweep = sweep_table(runs)
    assert sweep.metric == "answer_right"
    assert sweep.best.name == "dear"
    assert [entry.name for entry in sweep.entries if entry.cheaper] == ["cheap"]
    assert sweep.recommended.name == "cheap"
    assert sweep.entries[-1].name == "bad"
    assert sweep.entries[-1].p_value < 0.01
    assert "cheap (**not significantly worse, and cheaper or faster**)" in sweep_markdown(sweep)
    reader = Reader(sweep_html(sweep, title="grid"))
    assert [value for name, value in reader.attributes if name == "href"] == [
        f"{entry.name}/report.html" for entry in sweep.entries
    ]
