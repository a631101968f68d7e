"""The list of questions in the HTML report: each with its answer, quotes and gold pages, and how it failed."""

from __future__ import annotations

from collections.abc import Sequence

from rag.evaluation import catalogue
from rag.evaluation.compare import Comparison, Flip
from rag.evaluation.metrics.citations import on_gold
from rag.evaluation.metrics.retrieval import GoldPage, distinct_pages, gold_found
from rag.evaluation.report.markup import Markup, element, say
from rag.evaluation.runs import Record
from rag.types import Answer, Citation, QuoteStatus, Sentence, Support

FILTERS = ("wrong", "missed", "unproven", "declined", "invented", "failed", "flipped")
_PAGES_SHOWN = 10
_PAGE_DEPTH = 5


def failures(record: Record) -> list[str]:
    """The filters that a question falls under."""
    answer, answerable = record.answer, record.question.answerable
    answered = answer is not None and answer.answered
    ways = {
        "wrong": catalogue.is_right(record) is False,
        "missed": catalogue.page_hit(_PAGE_DEPTH)(record) == 0.0,
        "unproven": answer is not None and not all(c.verified for c in answer.citations),
        "declined": answerable and answer is not None and not answered,
        "invented": not answerable and answered,
        "failed": record.failed,
    }
    return [name for name, is_so in ways.items() if is_so]


def question_list(records: Sequence[Record], comparison: Comparison | None) -> Markup:
    """The filters and the questions."""
    flips = {flip.id: flip for flip in comparison.flips} if comparison else {}
    marked = [(record, failures(record) + (["flipped"] if record.id in flips else [])) for record in records]
    counts = {name: sum(name in ways for _, ways in marked) for name in FILTERS}
    rows = [_row(record, ways, flips.get(record.id)) for record, ways in marked]
    return element(
        "section",
        say("questions", "h2"),
        _toolbar(len(records), counts),
        element("div", *rows, id="list"),
        element("p", say("nothing_matches"), id="nothing", class_="note", hidden=True),
        id="questions",
    )


def _toolbar(total: int, counts: dict[str, int]) -> Markup:
    buttons = [_button("all", total, True)] + [_button(name, n, False) for name, n in counts.items() if n]
    return element(
        "div",
        element("div", *buttons, class_="filters", role="group"),
        element(
            "div",
            element("input", id="search", type="search", autocomplete="off"),
            element("span", element("b", total, id="count"), " ", say("shown"), class_="note"),
            element("button", say("expand"), type="button", id="expand", class_="plain"),
            element("button", say("collapse"), type="button", id="collapse", class_="plain"),
            class_="finder",
        ),
        class_="toolbar",
    )


def _button(name: str, count: int, pressed: bool) -> Markup:
    return element(
        "button",
        say(f"filter_{name}"),
        element("span", count, class_="count"),
        type="button",
        data_filter=name,
        aria_pressed="true" if pressed else "false",
    )


def _row(record: Record, ways: Sequence[str], flip: Flip | None) -> Markup:
    right = catalogue.is_right(record)
    outcome = "open" if right is None else "right" if right else "wrong"
    tags = [
        element("span", say(f"filter_{name}"), class_="tag bad")
        for name in ways
        if name not in ("wrong", "flipped")
    ]
    if flip is not None:
        direction = "gained" if flip.gained else "lost"
        tags.append(
            element("span", say(f"flip_{direction}"), class_=f"tag {'good' if flip.gained else 'bad'}")
        )
    mark = element("span", {"right": "✓", "wrong": "✗", "open": "·"}[outcome], class_=f"outcome {outcome}")
    return element(
        "details",
        element(
            "summary",
            mark,
            element("span", record.question.question, class_="q"),
            element("span", *tags, class_="tags"),
            element("code", record.id),
        ),
        element("div", _gold(record), _given(record), _found(record), _before(flip), class_="body"),
        data_ways=" ".join(ways),
        id=f"q-{record.id}",
    )


def _gold(record: Record) -> Markup:
    question = record.question
    if not question.answerable:
        return element("div", say("gold_answer", "h4"), say("no_answer", "p", "note"))
    answers = [element("li", answer) for answer in question.answers]
    evidence = [
        element(
            "li",
            _place(e.file, e.page) if e.file else None,
            element("blockquote", e.text) if e.text else None,
        )
        for e in question.evidence
    ]
    return element(
        "div",
        (say("gold_answer", "h4"), element("ul", *answers, class_="golds")) if answers else None,
        (say("gold_pages", "h4"), element("ul", *evidence, class_="places")) if evidence else None,
    )


def _given(record: Record) -> Markup:
    if record.failed:
        return element("div", say("given_answer", "h4"), say("failed", "p", "failed", error=record.error))
    if record.answer is None:
        return element("div", say("given_answer", "h4"), say("searched_only", "p", "note"))
    answer = record.answer
    score = say("evidence_score", class_="note", score=f"{answer.evidence_score:.2f}")
    quotes = [_quote(c, catalogue.gold_pages(record)) for c in answer.citations]
    return element(
        "div",
        element("h4", say("given_answer"), " ", score),
        _answer(answer),
        element("p", answer.reason, class_="note") if answer.reason and not answer.answered else None,
        (say("quotes", "h4"), element("ol", *quotes, class_="quotes")) if quotes else None,
    )


def _answer(answer: Answer) -> Markup:
    if not answer.answered:
        return element("p", say("declined"), class_="declined")
    if not answer.sentences:
        return element("p", answer.text)
    return element("p", *(_sentence(sentence) for sentence in answer.sentences), class_="answer")


def _sentence(sentence: Sentence) -> Markup:
    marks = [element("sup", f"[{n}]") for n in sentence.citations]
    doubt = (
        None
        if sentence.support is Support.VERIFIED
        else element("span", say(f"support_{sentence.support.value}"), class_="tag warn")
    )
    return element("span", sentence.text, *marks, doubt, " ", class_=f"s-{sentence.support.value}")


def _quote(citation: Citation, gold: frozenset[GoldPage]) -> Markup:
    class_ = "good" if citation.status is QuoteStatus.FOUND else "warn" if citation.verified else "bad"
    hit = element("span", "●", class_="gold-mark", title="gold page") if on_gold(citation, gold) else None
    return element(
        "li",
        element("blockquote", citation.quote),
        element("span", _place(citation.file, citation.page), " ", hit, class_="at"),
        element("span", say(f"quote_{citation.status.value}"), class_=f"tag {class_}"),
        element("p", citation.note, class_="note") if citation.note else None,
        value=citation.n,
    )


def _found(record: Record) -> Markup | None:
    places = distinct_pages(record.found)[:_PAGES_SHOWN]
    if not places:
        return None
    covered = gold_found(places, catalogue.gold_pages(record))
    items = [
        element("li", _place(place.file, place.first, place.last), class_="gold" if gold else None)
        for place, gold in zip(places, covered, strict=True)
    ]
    return element("div", say("retrieved", "h4"), element("ol", *items, class_="found"))


def _before(flip: Flip | None) -> Markup | None:
    """What the other run answered, beside what this one did."""
    if flip is None or flip.before.answer is None:
        return None
    return element("div", element("h4", say("before")), _answer(flip.before.answer), class_="before")


def _place(file: str, page: int | None, last: int | None = None) -> Markup:
    if page is None:
        return element("span", file, class_="file")
    pages = str(page) if last is None or last == page else f"{page}–{last}"
    return element("span", element("span", file, class_="file"), ", ", say("page", page=pages))
