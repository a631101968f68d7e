"""What a question asks of a table: which items, which periods, and what to do with the cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from rag.answering.question_terms import asked_terms
from rag.text.figures import scale_of, years_in
from rag.text.keywords import keyword_tokens, query_terms
from rag.text.patterns import lazy_compile
from rag.text.quantities import in_digits


class Wanted(StrEnum):
    """What the cells that a question names are wanted for."""

    VALUE = "value"
    PERIOD = "period"
    """Which of the periods: the largest, the smallest, those above or below a figure."""
    ITEM = "item"
    """Which of the rows is the largest or smallest."""
    ITEMS = "items"
    """Which rows a table or a group of its rows has."""
    PERIODS = "periods"
    """Which periods a table is about."""
    CHANGE = "difference"
    PERCENT_CHANGE = "percentage change"
    SUM = "sum"
    AVERAGE = "average"
    RATIO = "ratio"
    SHARE = "percentage"


_MOST = lazy_compile(
    r"\b(?:highest|largest|greatest|biggest|higher|larger|greater|bigger|maximum|peak|longest|tallest|heaviest|deepest|widest)\b"
    r"|(?<!\bat )\bmost\b(?!\s(?:of|recent\w*|likely|common\w*|important)\b)"
    r"|(?:가장|제일|더)\s?(?:많|높|크|큰|컸|커|길|긴|넓|무겁|무거|비싸|비싼|깊)|최대|최고",
    re.IGNORECASE,
)
_LEAST = lazy_compile(
    r"\b(?:lowest|smallest|lower|smaller|minimum|fewest|shortest|lightest|narrowest|cheapest)\b|(?<!\bat )\bleast\b"
    r"|(?:가장|제일|더)\s?(?:적|낮|작|짧|좁|가볍|가벼|싸|싼|저렴|얕)|최소|최저",
    re.IGNORECASE,
)
_ABOVE = lazy_compile(
    r"\b(?:more|greater|higher|larger)\s(?:\w+\s)?than|\bexceed\w*|\babove\b|\bover\b(?=\s[$€£]?\d)|초과|넘|이상",
    re.IGNORECASE,
)
_BELOW = lazy_compile(
    r"\b(?:less|lower|smaller|fewer)\s(?:\w+\s)?than|\bbelow\b|\bunder\b(?=\s[$€£]?\d)|미만|이하|밑돌",
    re.IGNORECASE,
)
_WHICH_PERIOD = lazy_compile(
    r"\b(?:which|what)\s(?:\w+\s){0,3}?(?:years?|periods?|quarters?|dates|FYs?)(?:'s?)?\b|어느\s?(?:해|연도|년도|분기|달)|몇\s?(?:년|분기|월)",
    re.IGNORECASE,
)
_SEVERAL_PERIODS = lazy_compile(r"\b(?:years|periods|quarters|dates|FYs)\b|[가-힣]", re.IGNORECASE)
_LISTS_PERIODS = lazy_compile(
    r"\b(?:information|shown?|included?|provided?|reported|recorded|available|calculated|listed|presented|compared|cover\w*"
    r"|disclosed|computed|analy[sz]ed|considered|measured|highlighted|displayed|table)\b|표시|나와|수록|제공",
    re.IGNORECASE,
)
_ITEMS = lazy_compile(
    r"\b(?:what|which)\s(?:are|were|is|was)?\s?(?:the\s)?(?:\w+\s){0,3}?"
    r"(?:types|components|items|segments|regions|countries|currencies|categories|elements|units|sources|kinds|classes|parts)\b"
    r"|어떤\s?(?:항목|종류|부문)|(?:항목|종류|구성 요소|부문)(?:은|는|들은)?\s?(?:무엇|어떤)",
    re.IGNORECASE,
)
_PERCENT_CHANGE = lazy_compile(
    r"(?:\bpercent(?:age)?|%)\s(?:\w+\s)?(?:change|increase|decrease|growth|decline)|\bgrowth rate|\bby what percent"
    r"|(?:증가|감소|변동|변화|성장|증감)\s?[율률]",
    re.IGNORECASE,
)
_CHANGE = lazy_compile(
    r"\b(?:change|difference|increase|decrease|decline|growth)\b(?:\s?/?\s?\(?\w*\)?)?\s(?:\w+\s){0,3}?"
    r"(?:in|of|between|for|from)\b"
    r"|\bdifference\b|\bnet change\b|\bhow much (?:did|has|have) .* (?:change|increase|decrease|grow|fall|rise)"
    r"|차이|증감액?|변동액|얼마나\s?(?:더\s)?(?:증가|감소|늘|줄|올[라랐]|오른|오르|내[려렸]|내린|내리|상승|하락|인상|인하)",
    re.IGNORECASE,
)
_AVERAGE = lazy_compile(r"(?<!weighted[ -])\b(?:average|mean)\b|(?<!가중)평균", re.IGNORECASE)
_SUM = lazy_compile(
    r"\b(?:sum|combined|together|altogether)\b|\btotal of\b|\btotal\b.*\b(?:in both|across)\b|합계|합산|더하면|합은",
    re.IGNORECASE,
)
_RATIO = lazy_compile(r"\bratio\b|비율은", re.IGNORECASE)
_SHARE = lazy_compile(
    r"\bpercent(?:age)?\s(?:constitution|share|proportion|contribution)?\s?(?:of|does|did|is|are|was|were)\b.*"
    r"\b(?:of|in|to|among)\b"
    r"|\bas a (?:percentage|percent|proportion) of\b|\b(?:proportion|share) of\b.*\b(?:in|of|to|over)\b"
    r"|차지하는\s?(?:비율|비중)",
    re.IGNORECASE,
)
_NO_CELL = lazy_compile(
    r"\bwhy\b|\bwhom?\b|\bwhere\b|\bhow\s(?:is|are|does|do|did|was|were|has|have|can|will|would|should)\b(?!\s(?:many|much))"
    r"|\b(?:compris\w+|consists?|composed|represent(?:s|ed)?\b(?!\sby\b)|refers?|mean(?:s)?\b(?=\?)|define[sd]?|definition|describ\w+"
    r"|explain\w*|reasons?|purpose|basis (?:for|of|is)|assumptions? (?:is|are|used)|caused?|attributed to"
    r"|(?:mainly|primarily|largely|was|were|is|are) due to|due to(?=\s*\?)"
    r"|led to|driven|reflects?|relate[sd]? to|includes?"
    r"|included in|excluded? from"
    r"|result(?:s|ed|ing)? (?:from|of)|accordance|factors?|drove)\b"
    r"|왜|누구|어디|어떻게|이유|원인|방법|목적|근거|뜻하|의미",
    re.IGNORECASE,
)
_THRESHOLD = lazy_compile(
    r"(?:than|exceed\w*|above|below|over|under|초과|이상|미만|이하)?\s?(?:US)?[$€£₩]?\s?(?P<figure>\d[\d,]*(?:\.\d+)?)\s?"
    r"(?P<scale>thousands?|millions?|billions?|천|만|백만|억|조)?(?P<percent>\s?%)?",
    re.IGNORECASE,
)
_WHICH_ITEM = lazy_compile(
    r"\W*(?:in\s|for\s)?which\b"
    r"|\W*(?:who|where|(?:name|give|tell)\s(?:me\s)?(?:the|that))\b"
    r"|.*\b(?:which|what)\s(?:\w+\s){0,3}?(?:type|component|item|segment|region|country|countries|currency|category|element|kind"
    r"|class|product|division|source|market|unit|customer|area)\b"
    r"|\W*what\s(?!(?:is|was|are|were|has|had|have|did|does|do|would|will|can|percent\w*|amount|total|number|kind|about)\b)"
    r"(?:\w+\s){1,3}?(?:has|had|have|is|was|are|were|did|does|shows?|showed|sold|made)\b"
    r"|\W*what\b.*\b(?:is|was|has|had|were|are)\s(?:the\s)?(?:\w+\s)?(?:largest|highest|smallest|lowest)\b"
    r"|\W*what\s(?:is|was)\sthe\s(?:most|least)\s\w+\s\w+",
    re.IGNORECASE,
)
_WHICH_ITEM_KOREAN = lazy_compile(
    r"(?=.*(?:가장|제일|더)\s?[가-힣])(?!.*(?:얼마|몇|왜|언제|어떻게))"
    r".*(?:어디|어느|어떤|누구|무엇|뭐|(?:은|는|곳|것)(?:요|지|인가요?|입니까)?\s*[?？]?\s*$)"
)
_WHO_OR_WHERE = lazy_compile(r"\b(?:who|where)\b|누구|어디", re.IGNORECASE)
"""What also asks for an item, beside a superlative."""
_NUMERIC = lazy_compile(r"[\d.]+%?|(?:fy?|cy)\d\d(?:\d\d)?|q[1-4]")
_RANGE = lazy_compile(
    r"\d{4}\s?[-–~]\s?(?:\d\d|\d{4})\b|\b(?:from|over|across|through|throughout|period)\b|부터|동안|기간",
    re.IGNORECASE,
)
_FROM_TO = lazy_compile(r"\d{4}\s(?:to|through)\s(?:\w+\s)?\d{4}\b|\d{4}\s?[-–~]\s?\d{4}\b")
"""A range of years of which each is asked for ("fiscal years 2017 to 2019, respectively")."""
_TWO_THINGS = (
    (
        lazy_compile(
            r"(?:^|\b(?:is|was|are|were)\s)(?P<first>(?:(?!\b(?:is|was|are|were)\b).)+?)\s(?:as|in terms of)\sa\s"
            r"(?:percent(?:age)?|proportion|share|ratio)\s(?:of|to)\s(?P<second>.+)",
            re.IGNORECASE,
        ),
        None,
    ),
    (
        lazy_compile(
            r"\b(?:percent(?:age)?|proportion|share|portion|fraction|ratio)\b(?:\s\w+)?\sof\s(?P<rest>.+)",
            re.IGNORECASE,
        ),
        lazy_compile(r"\s(?:in|of|out of|to|among|over|within|against)\s", re.IGNORECASE),
    ),
    (
        lazy_compile(
            r"\b(?:difference|ratio)\b(?:\s(?:of|in))?(?P<shared>.*?)\bbetween\s(?P<rest>.+)", re.IGNORECASE
        ),
        lazy_compile(r"\sand\s", re.IGNORECASE),
    ),
    (
        lazy_compile(
            r"(?P<second>\S.*?)(?:에서|중에서|중|\s대비)\s(?P<first>.+?)[이가의]?\s(?:차지하는\s)?(?:비율|비중)"
        ),
        None,
    ),
)
"""How a question names two figures: with both as groups, or with the text that a joint cuts in two."""
_MEASURES = lazy_compile(
    r"\bhow (?:much|many|long|large|big|high|low|old)\b|\b(?:amount|values?|number|total|rate|ratio|percent\w*"
    r"|price|average|cost|balance|sum|figure|respective\w*)\b|얼마|몇|금액|수치|비율|[율률]은",
    re.IGNORECASE,
)
_AMOUNT = lazy_compile(
    r"\W*(?:in \d{4}, )?(?:how (?:much|many)\b|what (?:is|was|are|were) the (?:[\w'’-]+ ){0,4}?"
    r"(?:amounts?|values?|numbers?|totals?|balances?|percentages?)\b)|.*(?:얼마|금액은|수치는)",
    re.IGNORECASE,
)
"""How a question begins that nothing but a figure answers."""
_HANGUL = lazy_compile("[가-힣]")
_KOREAN_FRAME = lazy_compile(
    r"\d+\s?년도?(?:에는|에서|에|의|과|와|은|는)?(?=[\s,?]|$)|(?<!\S)(?:비해서?|대비|각각|얼마나|더|모두)(?=\s)"
    r"|(?<!\S)(?:가장|제일|더)\s?[가-힣]+|(?<!\S)(?:어디|어느|어떤|누구|무엇|뭐|곳[은는이])[가-힣]*"
    r"|(?<!\S)(?:올랐|오른|올라|내렸|내린|내려|늘었|늘어|줄었|줄어|커졌|작아졌|증가|감소|상승|하락|인상|인하)(?:했|하였|됐|되었)?[가-힣]*"
    r"(?=\s*[?？]?\s*$)"
)
"""What frames a Korean question for figures: its years, comparisons and the verb of a change."""
FRAME = frozenset(
    re.findall(
        r"\w+",
        "amount amounts value number figure company group firm respective respectively table year "
        "fiscal financial ended end ending date period quarter percentage percent average difference "
        "sum ratio change increase decrease growth million thousand billion dollar usd following "
        "report reported record recorded information corporation between january february march april "
        "may june july august september october november december month annual annually show shown "
        "included provide given much many compared comparison level come due mean nominal term state "
        "stated reporting far versus what which type kind largest highest lowest smallest larger "
        "higher lower smaller least exceed less fewer more most bigger biggest greater greatest maximum minimum "
        "fewest fy cy done taken incurred proportion constitution total overall listed respect fiscal",
    )
)
"""Words that ask rather than name: missing in a table's headers they say nothing against it."""


@dataclass(frozen=True, slots=True)
class TableQuestion:
    """A question as a table is asked."""

    text: str
    wanted: Wanted
    terms: dict[str, float]
    """Tokens that may name rows and columns, with their weights; years are left out."""
    years: tuple[str, ...]
    figures: frozenset[str]
    """Its tokens with a digit: years, days and numbers, which labels may hold as well."""
    several: bool
    """Whether it asks for the cells of several items ("respectively", "and")."""
    most: bool = False
    above: bool | None = None
    """True for "more than" a figure, False for "less than" one, None for neither."""
    threshold: Decimal | None = None
    measured: bool = True
    """Whether it says that it asks for a figure: by a period, a measure or an operation."""

    @property
    def asks_amount(self) -> bool:
        """Whether nothing but a figure can answer it."""
        return self.wanted is Wanted.VALUE and _AMOUNT.match(self.text) is not None


def table_question_of(text: str) -> TableQuestion | None:
    """What a question asks of a table; None for one that no cell answers."""
    text = in_digits(text)
    years = years_in(text)
    wanted = _wanted(text)
    asking = _WHO_OR_WHERE.sub(" ", text) if wanted is Wanted.ITEM else text
    if wanted not in (Wanted.PERIODS, Wanted.ITEMS) and _NO_CELL.search(asking):
        return None
    terms = _terms(text, years)
    ranges = (
        _RANGE if wanted in (Wanted.AVERAGE, Wanted.SUM) else _FROM_TO if wanted is Wanted.VALUE else None
    )
    if ranges is not None and len(years) == 2 and ranges.search(text) and all(map(str.isdecimal, years)):
        first, last = sorted(map(int, years))
        years = tuple(str(year) for year in range(first, last + 1))
    several = bool(re.search(r"\brespective|\bboth\b|\band\b|각각|[와과]\s|및", text))
    several = several or (wanted is Wanted.ITEM and " or " in text)
    above = True if _ABOVE.search(text) else False if _BELOW.search(text) else None
    threshold = _threshold(text) if above is not None else None
    if threshold is None:
        above = None
    figures = _figures(text)
    measured = bool(years) or wanted is not Wanted.VALUE or bool(_MEASURES.search(text))
    return TableQuestion(
        text, wanted, terms, years, figures, several, bool(_MOST.search(text)), above, threshold, measured
    )


def _wanted(text: str) -> Wanted:
    extreme = bool(_MOST.search(text) or _LEAST.search(text))
    compares = extreme or bool(_ABOVE.search(text) or _BELOW.search(text))
    if _WHICH_PERIOD.search(text):
        if compares:
            return Wanted.PERIOD
        lists = _SEVERAL_PERIODS.search(text) and _LISTS_PERIODS.search(text)
        return Wanted.PERIODS if lists else Wanted.VALUE
    if _ITEMS.search(text) and not compares:
        return Wanted.ITEMS
    if extreme and (_WHICH_ITEM.match(text) or _WHICH_ITEM_KOREAN.match(text)):
        return Wanted.ITEM
    operations = (
        (_PERCENT_CHANGE, Wanted.PERCENT_CHANGE),
        (_SHARE, Wanted.SHARE),
        (_RATIO, Wanted.RATIO),
        (_AVERAGE, Wanted.AVERAGE),
        (_CHANGE, Wanted.CHANGE),
        (_SUM, Wanted.SUM),
    )
    return next((wanted for pattern, wanted in operations if pattern.search(text)), Wanted.VALUE)


def operand_questions(question: TableQuestion) -> Iterator[tuple[TableQuestion, TableQuestion]]:
    """The two things that a share, ratio or difference is of, as questions of their own.

    Where a sentence can be cut in several ways ("the percentage of goods in transit in total goods"), each is given:
    the headers of the table tell which is meant.
    """
    text = question.text
    for pattern, joints in _TWO_THINGS:
        found = pattern.search(text)
        if found is None:
            continue
        if joints is None:
            yield _part(question, found["first"]), _part(question, found["second"])
            continue
        shared = found.groupdict().get("shared") or ""
        for joint in joints.finditer(found["rest"]):
            halves = found["rest"][: joint.start()], found["rest"][joint.end() :]
            yield _part(question, f"{shared} {halves[0]}"), _part(question, f"{shared} {halves[1]}")


def _part(question: TableQuestion, text: str) -> TableQuestion:
    """A question for the figure that a part of another question names, in its period unless the part has its own."""
    return replace(
        question,
        text=text,
        wanted=Wanted.VALUE,
        terms=_terms(text, question.years),
        years=years_in(text) or question.years,
        figures=_figures(text),
        several=False,
    )


def _figures(text: str) -> frozenset[str]:
    return frozenset(t for t in keyword_tokens(text) if any(map(str.isdecimal, t)))


def _terms(text: str, years: Sequence[str]) -> dict[str, float]:
    named = asked_terms(_KOREAN_FRAME.sub(" ", text)) if _HANGUL.search(text) else query_terms(text)
    return {t: w for t, w in named.items() if t not in years and not _NUMERIC.fullmatch(t)}


def _threshold(text: str) -> Decimal | None:
    """The figure after "more than" and the like, its scale applied."""
    found = [m for m in _THRESHOLD.finditer(text) if m["figure"] not in years_in(text)]
    if not found:
        return None
    match = found[-1]
    return Decimal(match["figure"].replace(",", "")) * scale_of(match["scale"] or "")
