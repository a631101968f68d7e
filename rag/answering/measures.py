"""What must stand in a sentence for it to answer a question about a measure: an amount of money, a weight, a time.

"What does it cost?" is answered by no sentence without an amount of money, however much it says about the thing. Each
measure has the words by which a question asks for it and the form of its values, in English and in Korean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.text.patterns import lazy_compile

SPELLED = (
    r"two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|eighty"
    r"|ninety|hundred|thousand|million|billion|half"
)
SPELLED_KO = (
    r"(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|스무)"
    r"(?=\s?(?:개|명|번|가지|차례|마리|사람|시간|달|살|곳|대|편|종|배))"
)
"""Numbers in words; Korean ones only before what they count."""
_N = (
    rf"(?:\d[\d,.]*|\b(?:an?|one|{SPELLED}|few|several)\b"
    r"|(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|스무|반|수|몇)(?=\s?[가-힣]))"
)
_MAGNITUDE = r"(?:[\s-]?(?:hundred|thousand|million|billion|k|m|bn)\b|[십백천만억조]+)*"
_BETWEEN = r"(?:[\s-]|\s?(?:and|to|or|~|–|-)\s?\d[\d,.]*\s?|\s(?:and|or)\sa?\s?\w+\s|여\s?|\s\w+\s)?"
"""What may stand between a number and its unit: "six-month", "24 to 48 hours", "ten full days"."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A kind of quantity or address that a question can ask for."""

    name: str
    asks: re.Pattern[str]
    """Finds a question for it."""
    value: re.Pattern[str]
    """Finds a value of it in a sentence."""


def _units(units: str, korean: str = "") -> str:
    """A number with one of these units."""
    found = rf"{_N}{_MAGNITUDE}{_BETWEEN}(?:{units})(?![A-Za-z])"
    return rf"{found}|{_N}{_MAGNITUDE}\s?(?:{korean})" if korean else found


def _measure(name: str, asks: str, value: str) -> Measure:
    return Measure(name, lazy_compile(asks, re.IGNORECASE), lazy_compile(value, re.IGNORECASE))


_SPAN = "seconds?|minutes?|hours?|days?|nights?|weeks?|months?|years?|decades?|centur(?:y|ies)"
_SPAN_KO = "초|분|시간|일|박|주|개월|달|년|세기"
_DAYS_KO = "하루|이틀|사흘|나흘|닷새|엿새|열흘|보름|일주일|한 주"
_LONG = _units(_SPAN, _SPAN_KO) + f"|{_DAYS_KO}|\\b(?:from|since|until)\\s(?:\\S+\\s){{0,3}}\\d"
_LENGTHS = _units(
    "km|m|cm|mm|nm|µm|miles?|yards?|feet|foot|ft|inch(?:es)?|in|kilomet\\w+|centimet\\w+|millimet\\w+|met(?:re|er)s?",
    "킬로미터|센티미터|밀리미터|미터|리",
)
_MONEY_KO = "가격|요금|비용|금액|연봉|월급|시급|급여|임금|수당|보증금|벌금|과태료|[가-힣](?:료|(?<!소)비|값)"

_NO_AMOUNT_KO = re.sub(
    r"\w+",
    r"(?<!\g<0>)",
    "수 율 률 량 폭 값"
    " 기간 나이 연령 정년 길이 높이 거리 면적 넓이 크기 깊이 너비 두께 지름 무게 속도 온도"
    " 수심 정원 고도 각도 밀도 습도 수온 기온 농도 강도 소음 전력 간격 주기 시간 점수 범위 한도 규모 인구 차이 확률",
).replace(" ", "")
"""Before the particle: none of the nouns of which 얼마 asks something else than money."""

MEASURES: tuple[Measure, ...] = (
    _measure(
        "e-mail address",
        r"\be-?mail (?:address|of)|\be-?mail\s*\?|(?:이메일|메일)(?:\s?주소)?[은는이가]?\s*(?:뭐|무엇|어떻|알려|\?)",
        r"\S@\S",
    ),
    _measure(
        "phone number",
        r"\b(?:tele)?phone numbers?|\bnumber (?:do|should|can|to) \w*\s?(?:call|dial|ring)|\bextension\b"
        r"|전화번호|연락처|내선|팩스",
        r"\d{2,}[-) ]\d{3,}|(?:extension|ext\.?|내선|dial|call)\D{0,15}\d|\b\d{3,5}\b",
    ),
    _measure(
        "web address",
        r"\b(?:web address|url)\b.*\?|\b(?:what|which)\s(?:is|was)\s(?:[\w'’-]+\s){0,4}web ?site\b"
        r"|(?:홈페이지|웹사이트|누리집)\s?주소",
        r"https?://|www\.|\b\w+\.(?:com|org|net|kr|uk|io|gov|edu)\b",
    ),
    _measure(
        "time of day",
        r"\b(?:what|which) (?:time|hour)\b|\bhow (?:early|late) (?:does|do|is|can)\b|몇\s?시(?!간)",
        r"\d{1,2}[:.]\d\d|\d\s?(?:[ap]\.?m\b|o.?clock)|\b(?:noon|midnight)\b|\d\s?시|자정|정오",
    ),
    _measure(
        "day of the week",
        r"\bwhat days? of the week\b|\b(?:which|what) weekdays?\b|(?:무슨|어느|어떤|몇)\s?요일",
        r"\b(?:mon|tues|wednes|thurs|fri|satur|sun|week)days?\b|\bweekends?\b|\bdaily\b|\bevery day\b"
        r"|[월화수목금토일]요일|평일|주말|주중|매일|날마다|연중",
    ),
    _measure(
        "weight",
        r"\bhow (?:heavy|much does \S+(?: \S+){0,3} weigh)|\bweigh(?:t|s)?\b|무게|중량|몸무게|체중",
        _units("kg|g|mg|t|tonnes?|tons?|pounds?|lbs?|oz|ounces?|grams?|kilo(?:gram)?s?", "킬로|그램|톤|근"),
    ),
    _measure(
        "length",
        r"\bhow (?:tall|high|wide|deep|far|thick)\b(?! (?:ahead|in advance))|\b(?:height|width|depth|thickness"
        r"|diameter)\b"
        r"|높이|너비|폭[은이]|깊이|수심|두께|지름|얼마나\s(?:멀|깊|높)",
        _LENGTHS,
    ),
    _measure(
        "length or time",
        r"\bhow long\b(?! ago)|\b(?:length|duration)\b"
        r"|길이|얼마나\s(?:오래|걸)|기간(?:은|이)?\s?(?:얼마|어떻|어느|몇|며칠|\?)",
        f"{_LONG}|{_LENGTHS}|{_units('pages?|words?|characters?', '쪽|자|페이지')}",
    ),
    _measure(
        "temperature",
        r"\bhow (?:hot|cold|warm)\b|\btemperature\b|온도|수온|기온|체온",
        rf"{_N}\s?(?:°|º|℃|℉|degrees?|도)",
    ),
    _measure(
        "storage",
        r"\bhow (?:much|large|big) (?:\w+ )?(?:memory|ram|(?:disk|storage|hard disk) ?space|disk|storage|swap)\b"
        r"|(?:메모리|(?<![가-힣])램|저장 ?(?:공간|용량)|디스크(?: ?(?:공간|용량))?)[은는이가]?"
        r"\s?(?:얼마|몇\s?(?:기가|메가|[GMKT]B|바이트))",
        _units("[KMGT]i?B?|(?:kilo|mega|giga|tera)?bytes?", "바이트|기가|메가|테라")
        + r"|[%％]|\bper ?cent\b|퍼센트",
    ),
    _measure(
        "power",
        r"\bwatts?\b|\bpower consumption\b|소비\s?전력|와트",
        _units("[kM]?W|(?:kilo)?watts?", "와트"),
    ),
    _measure(
        "loudness",
        r"\bhow (?:loud|noisy|quiet)\b|\bdecibels?\b|소음|데시벨",
        _units("dB|decibels?", "데시벨"),
    ),
    _measure(
        "percentage",
        r"\b(?:what|which) (?:percent|proportion|share|fraction)\w*\b|\bpercentage\b|몇\s?(?:퍼센트|프로|%)|비율",
        r"[%％]|\bper ?cent\b|퍼센트|분의|\b(?:half|third|quarter|fifth)s?\b|절반",
    ),
    _measure("time", rf"\bhow many (?:{_SPAN})\b|며칠|몇\s?(?:{_SPAN_KO})(?!\s?생)(?:[^월]|$)", _LONG),
    _measure(
        "money",
        r"\b(?:what|how much)\b.*\b(?:prices?|costs?|fees?|fares?|salary|wages?|fines?|rent|deposit|charged?|earns?"
        r"|pays?|paid)\b"
        r"|\bhow much (?:is|are|was|were|money)\b(?!.*\b(?:water|time|space|weight)\b)"
        rf"|(?:{_MONEY_KO})[은는이가도]?(?:\s\S{{1,6}}){{0,2}}\s얼마|(?:{_MONEY_KO})[은는이가]?\s*\?"
        r"|(?:수당|급여|임금|월급|용돈)[을를]\s얼마|금[은이]\s얼마|얼마(?:예요|에요|죠)"
        rf"|{_NO_AMOUNT_KO}[은는이가]\s얼마(?:인가요|입니까|인지)|얼마(?:를|씩)\s(?:내|받|지불|부담|주|줘|벌|쓰|써|물|갚|줍)",
        r"[$€£¥₩]|\b(?:usd|eur|gbp|krw)\b|\d\s?(?:dollars?|euros?|pounds?|pence|p\b|cents?|won|yen|francs?|crowns?)"
        r"|(?:million|billion|thousand|hundred) (?:dollars?|euros?|pounds?|won|yen|marks?|francs?)"
        r"|\bcosts?\s(?:\w+\s){0,2}?\d|[\d만천백억조]\s?원|[%％]|\bper ?cent\b|\bfree\b|\bno (?:charge|fee|cost)\b"
        r"|무료|무상|없[다습이으]|지원하지|반값",
    ),
)


_AMOUNTS = frozenset(
    ("time of day", "weight", "length", "temperature", "storage", "power", "loudness", "percentage", "time")
) | {"money"}
"""The measures whose values cannot be a count of something."""


def asked_measure(question: str) -> Measure | None:
    """The measure that the question asks for; None when it asks for none of them."""
    return next((measure for measure in MEASURES if measure.asks.search(question)), None)


def without_amounts(sentence: str) -> str:
    """The sentence without its values of measures: spans of time, lengths, weights, shares, amounts of money."""
    for measure in MEASURES:
        if measure.name in _AMOUNTS:
            sentence = measure.value.sub(" ", sentence)
    return sentence
