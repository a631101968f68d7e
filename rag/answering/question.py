"""What a question asks for: the kind of thing its answer must be, and whether a sentence holds one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from rag.answering.asked_forms import (
    LATIN_END,
    asks_default,
    asks_maker,
    forms_of_term,
    names_maker,
    states_default,
)
from rag.answering.candidates import is_whole_sentence
from rag.answering.definitions import asked_thing
from rag.answering.measures import Measure, asked_measure, without_amounts
from rag.answering.paraphrases import Alike, alike, other_words
from rag.answering.question_terms import asked_terms
from rag.text.patterns import lazy_compile


class AnswerKind(StrEnum):
    """The kind of thing that answers a question."""

    DATE = "date"
    NUMBER = "number"
    PERSON = "person"
    PLACE = "place"
    REASON = "reason"
    CONTENT = "content"
    """What something consists of, includes or means."""
    WHETHER = "whether"
    """Whether something is possible, allowed or required."""
    MANNER = "manner"
    """How something is done."""
    TERM = "term"
    """The name of an option, command, key, file or the like."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class QuestionAnalysis:
    """A question, analysed."""

    text: str
    terms: dict[str, float]
    """Keyword tokens worth finding, with their weights."""
    kind: AnswerKind
    unit: str = ""
    """What is counted, when the question says "how many ..." or "몇 ...", in small letters."""
    measure: Measure | None = None
    """The measure that it asks for."""
    thing: str = ""
    """The thing of which it asks what it is or does."""
    alike: Alike = field(default_factory=dict)
    """Other words for its terms."""
    default: bool = False
    """Whether it asks what holds when nothing is set."""


_MONTHS = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?"
)
_TAIL = r"(?:이|가|은|는|을|를)?\s*[^\s?]{0,12}\s*\??\s*$"  # a Korean question ends with what it asks for
_MEASURED = (
    "percent|percentage|number|amount|population|total|size|age|cost|price|rate|ratio|share|fraction|limit|charge|bill"
    "|fee|fine|deposit|salary|wage|weight|length|height|width|depth|speed|temperature|capacity|budget|revenue|income"
    "|profit|loss|duration|distance|area|volume|value|score|range|interval|threshold|timeout|delay|frequency|voltage"
    "|thickness|diameter|radius|dose|dosage|quantity|minimum|maximum"
)
_MEASURED_KO = (
    r"[개횟점건명매원생자대구객]수|(?<![가-힣])수(?!\S?\s?[있없])|수치|비율|인구|나이|길이|높이|넓이|면적|거리|금액|액수|가격|비용"
    r"|규모|매출|매출액|율|률|무게|속도|온도|용량|예산|보증금|기간|한도|요금|수수료|연봉|임금|이익|손실|값|범위"
)
_ASKS = {
    AnswerKind.REASON: lazy_compile(
        r"\bwhy\b|\b(?:what|which)\b.*\b(?:reasons?|caused?|causes|drove|led to|due to|factors?)\b|\bhow come\b"
        rf"|(?<![가-힣])왜(?![가-힣])|(?:이유|원인|까닭){_TAIL}",
        re.IGNORECASE,
    ),
    AnswerKind.CONTENT: lazy_compile(
        r"\bwhat\b.*\b(?:consists?|composed|compris\w+|includes?d?|contains?|represents?|refers?|excludes?d?|means?(?=\?|$))\b"
        r"|\b(?:how|what)\b.*\bdefine[sd]?\b|\bdefinition\b",
        re.IGNORECASE,
    ),
    AnswerKind.DATE: lazy_compile(
        r"(?:^|[,;:.?!]\s?|\b(?:and|so|since|until|till|by|from|in|on|at|exactly"
        r"|(?:you|me|us) know|(?:tell|remind) (?:me|us))\s)when\b"
        r"|\b(?:what|which)(?:\s\w+)?\s(?:years?|dates?|day|month|century|decade|period|time)\b"
        r"|언제|몇\s*(?:년|월|일|세기)|어느\s*(?:해|시기|시대|날)|(?:무슨|어느|어떤|몇)\s?(?:요일|날)"
        rf"|(?:년도|연도|연대|날짜|시기|일자|생년월일|연월일|시점|시대|기한|마감|[은는된한던]\s해){_TAIL}",
        re.IGNORECASE,
    ),
    AnswerKind.NUMBER: lazy_compile(
        r"\bhow\s(?:many|much|long|old|far|tall|big|large|high|low|often|fast|wide|deep|heavy|early|late|soon|hot"
        r"|cold)\b"
        rf"|\b(?:what|which)\s(?!happen|areas?\b)(?:(?:is|was|were|are)\s)?(?:the\s)?(?:[\w'-]+\s){{0,3}}(?:{_MEASURED})s?\b"
        r"|몇|얼마|며칠"
        rf"|(?:{_MEASURED_KO}){_TAIL}",
        re.IGNORECASE,
    ),
    AnswerKind.PERSON: lazy_compile(
        r"(?:^|[,;:.?!]\s?|\b(?:and|or|but|so|by|for|to|from|with|of|is|was|are|were|exactly|know|me|us)\s)"
        r"who(?:m|se)?\b|\bwho(?:m|se)?\W*$"
        rf"|누구|누가|누굴|(?:사람|인물|감독|배우|저자|작가|대표|책임자|담당자|후보|선수|가수){_TAIL}",
        re.IGNORECASE,
    ),
    AnswerKind.PLACE: lazy_compile(
        r"\bwhere\b|\b(?:what|which)\s(?:country|city|state|place|location|region|town|continent|island|county"
        r"|site|areas?)\b"
        r"|어디|어느\s*(?:나라|도시|지역|곳|국가|지방)"
        rf"|(?:나라|도시|지역|장소|곳|국가|위치|주소|소재지){_TAIL}",
        re.IGNORECASE,
    ),
    AnswerKind.TERM: lazy_compile(
        r"\b(?:which|what)\s(?:\w+\s)?(?:option|flag|switch|command|variable|parameter|setting|key|shortcut|function|file"
        r"|folder|directory|keyword)\b|(?:어떤|어느|무슨)\s(?:옵션|명령|키|단축키|변수|설정|함수|파일|폴더|디렉터리)(?![가-힣]{3})"
        r"|(?:옵션|명령어?|단축키|함수|변수)(?:의?\s이름)?[은는이가]?\s?(?:(?:뭐|뭔|무엇|무슨|어떤)\S{0,5})?\s*[?？]\s*$",
        re.IGNORECASE,
    ),
    AnswerKind.MANNER: lazy_compile(
        r"\bhow\s(?:(?:do|can|should|could|must)\s(?:i|we|you|one|someone|people|\w+s)\b|to\b)"
        r"|어떻게\s(?!되|돼|된|됩)(?:\S+\s){0,2}\S+\s*$|방법[은이]?\s*\S{0,6}\s*[?？]?\s*$|려면\s*[?？]?\s*$",
        re.IGNORECASE,
    ),
    AnswerKind.WHETHER: lazy_compile(
        r"(?:^|[,;.]\s)(?:and\s|so\s|but\s|then\s)?(?:can|could|may|must|should|shall)\s"
        r"|(?:^|[,;.]\s)(?:do|does|did|is|are|am|will)\s.*\b(?:have|need|needs|allowed|required|possible|able|permitted)\b"
        r"|^(?!.*(?:무엇|무슨|뭐|뭘|뭔|어떤|어느)).*(?:수|도|야|면|안|해선|해서는)\s?(?:있|없|되|됩|될|돼|하|합|할|해|괜찮|좋)\S{0,5}\s*[?？]\s*$|(?:가능|필요|허용|금지)\S{0,6}\s*[?？]\s*$",
        re.IGNORECASE,
    ),
}
_LAST_KOREAN = lazy_compile(r"[가-힣]+(?=\W*$)")
_FOOTNOTE = lazy_compile(r"(?<=\w)\s?\[\d{1,3}\]")
"""The mark of a footnote behind a word, which is no figure of the sentence."""
_HOLDS = {
    AnswerKind.REASON: lazy_compile(
        r"\b(?:because|due to|owing to|attributable|attributed|as a result|result(?:s|ed|ing)? (?:from|of)|reflect\w*"
        r"|driven by|benefit\w*|caused by|since|so that|thanks to|in order to|primarily|reasons?|led to)\b"
        r"|때문|인해|덕분|위해|위하여|[아어]서(?=[\s,])|으로써|말미암|비롯|결과|이유|원인|까닭|따라(?=[\s,])|므로|니까",
        re.IGNORECASE,
    ),
    AnswerKind.CONTENT: lazy_compile(
        r"\b(?:consist\w*|compris\w+|includ\w+|contain\w*|represent\w*|refers?|exclud\w+|means?|defin\w+|made up of"
        r"|composed of|relates? to|such as|is the|are the)\b",
        re.IGNORECASE,
    ),
    AnswerKind.TERM: lazy_compile(
        rf"(?<!\S)--?[A-Za-z][\w-]*|\b\w+_\w+\b|\b[A-Z][A-Z0-9]{{3,}}{LATIN_END}|(?<![\w/])[~.]?/\w[\w./-]+"
        rf"|\b\w+\.[a-z]{{2,5}}(?!\.){LATIN_END}|\b(?:Ctrl|Alt|Shift|Esc|Enter|Tab|F\d{{1,2}}){LATIN_END}|[\"'“‘`][\w.-]+[\"'”’`]"
    ),
    AnswerKind.MANNER: lazy_compile(
        r"^\W*(?:\d+[.)]\s)?(?:to\s\w+.*,\s)?(?:then\s|first,?\s|next,?\s)?(?:add|apply|ask|call|change|check|choose|clean|click"
        r"|close|connect|copy|create|delete|drag|edit|enter|fill|follow|go|hold|insert|install|move|open|place|press|pull|push|put"
        r"|remove|rename|replace|rinse|run|save|scroll|select|send|set|start|switch|take|tap|turn|type|use|wash|write)\b"
        r"|(?<!\S)--?[a-z][\w-]*|\bby\s\w+ing\b|\byou\s(?:can|should|must|may|need)\b|\busing\b|\bwith\sthe\b"
        r"|십시오|시오(?=[.\s]|$)|세요|려면|하면|통해|통하여|사용하|이용하|선택|누르|누릅|입력|클릭|신청|제출|[아어해]서(?=[\s,])",
        re.IGNORECASE,
    ),
    AnswerKind.WHETHER: lazy_compile(
        r"\b(?:may|can|cannot|could|must|should|shall|needs?|needed|require[sd]?|allow\w*|permit\w*|forbid\w*|prohibit\w*"
        r"|only|not|never|no|possible|impossible|unable|able|optional|mandatory|entitled|eligible|free to)\b|n['’]t\b"
        r"|수(?:는|가|도)?\s?[있없]|(?:아|어|해|여|도|면|안)\s?(?:된|되|돼|됩)|불가|가능|금지|허용|금한|금하|못|[아어해여]야|않|아니|말아"
        r"|[가-힣](?:다|는|가|이) 없[다습음으]|만\s|필요|의무|제한|면제|인정",
        re.IGNORECASE,
    ),
    AnswerKind.DATE: lazy_compile(
        rf"\b(?!1000\b)(?:1\d{{3}}|20\d{{2}})(?:s\b|\b|(?=년))|\b(?:{_MONTHS})\b|\bcentur(?:y|ies)\b|\b(?:BCE?|CE|AD)\b"
        r"|\d+\s*(?:년|월|일|세기|시|분|주|개월)|기원전|(?:월|화|수|목|금|토|일)요일|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b"
        r"|\b\d{1,2}[:.]\d\d\b|\b\d{1,2}\s?[ap]\.?m\b|\bnoon\b|\bmidnight\b|\b(?:days?|weeks?|months?|years?|hours?)\b"
        r"|\b(?:spring|summer|autumn|winter|christmas|easter|weekends?|daily|today|tomorrow|yesterday)\b"
        r"|\b(?:mornings?|afternoons?|evenings?|nights?|dawn|dusk|sunrise|sunset|o['’]clock)\b"
        r"|\b(?:at|until|till|past)\s(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven"
        r"|twelve)\b"
        r"|(?:새벽|아침|저녁|밤|정오|자정|오전|오후)|(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|열)\s?시(?![가-힣]{2})"
        r"|[매]\s?[년월주일]|(?:하루|이틀|사흘|나흘|닷새|엿새|열흘|보름)|말일|첫날|다음\s?(?:날|달|주|해)|(?:봄|여름|가을|겨울)|\d{1,2}:\d\d",
        re.IGNORECASE,
    ),
    AnswerKind.NUMBER: lazy_compile(
        r"(?<![A-Za-z_])\d(?:[\d,.]*\d)?|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty"
        r"|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|billion|half|dozen|once|twice|third"
        r"|quarter)s?\b"
        r"|하루|이틀|사흘|나흘|닷새|엿새|열흘|보름|절반|(?:[한두세네]|다섯|여섯|일곱|여덟|아홉|열|[일이삼사오육칠팔구십백천만억수]+)\s?"
        r"(?:명|개|번|가지|차례|곳|대|편|종|년|원|살|배|마리|시간|일|달|주)(?![가-힣]{2}(?<!까지)(?<!부터)(?<!동안)(?<!이상)(?<!이내))",
        re.IGNORECASE,
    ),
    AnswerKind.PERSON: lazy_compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'’-]+|[가-힣]{2,4}(?=[가-힣]?\s)"),
    AnswerKind.PLACE: lazy_compile(
        r"\b(?:in|at|from|near|to|of|across|into|on)\s(?:the\s)?[A-Z]\w+"
        r"|(?<![\w/])[~.]?/\w[\w./-]+"
        r"|[가-힣]+(?:시|도|군|구|국|주|현|성|섬|강|산|동|읍|면|역|대학교?|공항|나라|도시|지역|센터|관)"
        r"(?=에|의|로|으로|이|가|은|는|을|를|과|와|,|\s|$)|[가-힣]+에서"
    ),
}


_TOLD_IN_MANY_WAYS = (
    AnswerKind.REASON,
    AnswerKind.CONTENT,
    AnswerKind.WHETHER,
    AnswerKind.MANNER,
    AnswerKind.TERM,
)
_NO_MEASURE = (AnswerKind.REASON, AnswerKind.MANNER, AnswerKind.TERM)
"""The kinds that ask for no amount, also when the question names a measure: how to change the width."""
LABELLED = (AnswerKind.TERM, AnswerKind.MANNER)
"""The kinds whose answer may be the term that a sentence stands under."""

_COUNTED = lazy_compile(
    r"\bhow many\s(?P<en>[a-z-]+)"
    r"|몇\s*(?P<ko>[가-힣]{1,3}?)(?=이?(?:[가은는을를로에인의나까였었입]|라|면|부터|마다|씩|쯤|이내|이상|이하|예요|이에요|이야)|이\s|\s|\?|$)",
    re.IGNORECASE,
)
_ASKS_CONDITION = lazy_compile(
    r"\bwhen\s(?:do|does|should|must|may|can|to|is|are)\b|\bhow often\b"
    r"|얼마나 자주|언제.*(?:하나요|합니까|되나요|됩니까|할까요)",
    re.I,
)
"""When or how often something is done, not when it was: a condition or a regular time answers too."""
_CONDITION = lazy_compile(
    r"\b(?:when|whenever|once|if|where|unless|upon|as soon as|after|before|until)\b"
    r"|[가-힣](?:면|때|때에는)[\s,]|경우"
    r"|[가-힣]\s(?:뒤|후|전)(?:에|까지)",
    re.I,
)
_REGULARLY = lazy_compile(
    r"\b(?:annual|daily|weekly|month|quarter|year)(?:ly)?\b|\b(?:each|every)\s\w+|매[년월일주]|마다", re.I
)
_BARE_FIGURE = lazy_compile(r"\s[\d,.]+\s*$|\d{1,3},\d{3}\b(?!\s?[가-힣A-Za-z%])")
_PLACES = "(?:군데|곳|개소|개)"
_SAME_UNIT = {
    "살": "[살세]",
    "번": "(?:번|회|차례)",
    "명": "(?:명|인|사람)",
    "사람": "(?:명|인|사람)",
    "군데": _PLACES,
    "곳": _PLACES,
    "가지": "(?:가지|개|종)",
    "집": "(?:집|가구|세대)",
}
_FIGURE = (
    r"(?:\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|[a-z]+(?:teen|ty|dred|sand|lion))"
    r"|(?<![가-힣])(?:두|세|네|다섯|여섯|일곱|여덟|아홉|열|스무))"
)


def analyse(question: str) -> QuestionAnalysis:
    """The terms and the expected kind of answer of a question in English or Korean."""
    kind = next((kind for kind, asks in _ASKS.items() if asks.search(question)), AnswerKind.OTHER)
    counted = _COUNTED.search(question)
    unit = (counted["en"] or counted["ko"]) if counted else ""
    thing = asked_thing(question)
    # a verb of one syllable would be lost with its ending: 쉬나요
    last = _LAST_KOREAN.search(question)
    known = dict.fromkeys(other_words(last[0]), 1.0) if last else {}
    return QuestionAnalysis(
        question,
        known | asked_terms(thing or question),
        kind,
        unit.lower(),
        None if kind in _NO_MEASURE else asked_measure(question),
        thing,
        alike=alike(question),
        default=asks_default(question),
    )


def counts_unit(question: QuestionAnalysis, sentence: str) -> float:
    """1 when the sentence counts what the question wants counted ("3,786가구", "six new plants"), else 0."""
    if not question.unit:
        return 0.0
    unit = _SAME_UNIT.get(question.unit) or re.escape(question.unit.removesuffix("s"))
    counted = rf"{_FIGURE}\s?(?:여\s?|\w+\s)?{unit}"
    return float(bool(re.search(counted, sentence, re.IGNORECASE)))


def holds_measure(question: QuestionAnalysis, sentence: str) -> float:
    """1 if the sentence has a value of the measure or a count of the things asked for, 0 if it has none.

    For a question about a default, one quarter when it does not say that it is one. Else
    one half when the question asks for neither, and for a bare figure of a row, whose unit a header may give; a
    quarter for a count when there is another figure, since counts are written in many ways ("six-time winner"), but
    for figures that measure something else ("how many players" is not told by "up to 10 hours").
    """
    if question.default:
        return 1.0 if states_default(sentence) else 0.25
    if question.measure is not None:
        bare = _BARE_FIGURE.search(sentence) and not is_whole_sentence(sentence)
        return 1.0 if question.measure.value.search(sentence) else 0.5 * bool(bare)
    if not question.unit:
        return 0.5
    if counts_unit(question, sentence):
        return 1.0
    if _BARE_FIGURE.search(sentence):
        return 0.5
    return 0.25 * bool(_HOLDS[AnswerKind.NUMBER].search(without_amounts(sentence)))


def lacks_value(question: QuestionAnalysis, sentence: str) -> bool:
    """Whether the question asks for an amount, a count, a time or who made it, and the sentence has none of it."""
    if not holds_measure(question, sentence):
        return True
    if asks_maker(question.text):
        return not names_maker(sentence)
    return question.kind in (AnswerKind.DATE, AnswerKind.NUMBER) and not holds_kind(question, sentence)


def tells_time(text: str) -> bool:
    """Whether a text has a year, a date, a time of day or the like."""
    return _HOLDS[AnswerKind.DATE].search(text) is not None


def holds_kind(question: QuestionAnalysis, sentence: str) -> float:
    """1 if the sentence holds something of the kind asked for that the question itself lacks, 0 if not.

    One half when the question does not say what kind of thing it asks for; a quarter for a sentence without the usual
    words for a reason, a rule, a way to do it or what something consists of, which are told in other ways as well.
    """
    if question.kind is AnswerKind.OTHER:
        return 0.5
    sentence = _FOOTNOTE.sub(" ", sentence)
    if question.kind is AnswerKind.TERM:
        forms = forms_of_term(question.text) or [_HOLDS[question.kind]]
        asked = question.text.casefold()
        found = (m[0].casefold() for form in forms for m in form.finditer(sentence))
        return 1.0 if any(name not in asked for name in found) else 0.25
    if question.kind in _TOLD_IN_MANY_WAYS:
        return 1.0 if _HOLDS[question.kind].search(sentence) else 0.25
    if (
        question.kind in (AnswerKind.DATE, AnswerKind.NUMBER)
        and _ASKS_CONDITION.search(question.text)
        and (
            _CONDITION.search(sentence)
            or any(m[0].casefold() not in question.text.casefold() for m in _REGULARLY.finditer(sentence))
        )
    ):
        return 1.0
    asked = question.text.casefold()
    found = (match[0].casefold() for match in _HOLDS[question.kind].finditer(sentence))
    # the 2 of "2 ferries" is not the one of 2019
    return float(any(not re.search(rf"(?<!\d){re.escape(value)}(?!\d)", asked) for value in found))
