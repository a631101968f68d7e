"""The words of a Korean sentence in comparable form: stems, what particles make of them, tense, and figures.

A word is its stem and what its particle makes of it (subject, object, place, origin, limit); a predicate its stem,
tense and polarity, without politeness. `5만 8,400원` and `58400원` are one figure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rag.answering.rewrites import word_set
from rag.text.patterns import lazy_compile

_MARK = "mark"
"""The role of a comma or semicolon."""
_NATIVE = {
    word: str(value)
    for value, word in enumerate(re.findall(r"\S+", "한 두 세 네 다섯 여섯 일곱 여덟 아홉 열"), 1)
}
_COUNTERS = (
    "번째|개월|가지|곳|차례|달|시간|사람|마리|편|권|대|종|명|개|번|살|지점|군데|나라|도시|섬|팀|회|배|채|척|통|줄|쪽"
    "|장"
)
_SCALES = {"천": 10**3, "만": 10**4, "백만": 10**6, "천만": 10**7, "억": 10**8, "십억": 10**9, "조": 10**12}
_FIGURE = lazy_compile(r"(?:\d+(?:,\d{3})*(?:\.\d+)?\s?(?:천만|백만|십억|조|억|만|천)?(?:여)?\s?)+")
_PART = lazy_compile(r"(\d+(?:\.\d+)?)\s?(천만|백만|십억|조|억|만|천)?")
_PARTICLES: tuple[tuple[str, str], ...] = (
    ("에게서", "from"), ("한테서", "from"), ("으로부터", "from"), ("로부터", "from"), ("에서부터", "from"),
    ("까지", "until"), ("부터", "since"), ("에서", "at"), ("에게", "to"), ("한테", "to"), ("께서", "subject"),
    ("께", "to"), ("보다", "than"), ("처럼", "like"), ("으로써", "by"), ("로써", "by"), ("으로서", "as"),
    ("로서", "as"), ("으로", "toward"), ("에", "in"), ("의", "of"), ("을", "object"), ("를", "object"),
    ("은", "topic"), ("는", "topic"), ("이", "subject"), ("가", "subject"), ("과", "with"), ("와", "with"),
    ("로", "toward"),
)  # fmt: skip
_TOPICS = ("은", "는")
_LIMITS = (("만", "+only"), ("도", "+also"), ("조차", "+even"), ("마저", "+even"), ("밖에", "+only"))
_CONNECTIVE = lazy_compile(
    r"(?:으며|며|고|(?<!까)지만|으나|나|(?<=하)되|는데|은데|면서|(?<=[았었했됐졌갔왔났렸겼켰쳤였됐췄혔셨쳤썼샀잤하되])다가)$"
)
_NOT_CONNECTIVE = word_set("사고 창고 보고 최고 광고 신고 경고 재고 서고 권고 예고 중고 원고 참고 하나 말고")
_NO_PARTICLE = word_set(
    "결과 효과 성과 경과 통과 사과 학과 국가 작가 화가 휴가 평가 물가 회의 주의 합의 하나 아이 나이 차이 길이 높이"
)
"""Nouns of which the last syllable looks like a particle."""
_FINAL = lazy_compile(r"다$")
OPENERS = word_set(
    "이에 따라 또한 그러나 따라서 한편 애초 당초 그리고 하지만 즉 특히 실제로 결국 이후 이어 또 반면 그래서 그"
    " 이에따라 구체적으로 구체적으로는 아울러 이와 함께 그런데 이처럼"
)
_ARGUMENTS = word_set("object subject toward in at to with")
_LINKING = lazy_compile(r"^해$|[가-힣][아어해여려겨져켜돼]$|(?:떠|어|아|러)나$")
"""Endings of a verb that another one follows."""
_COMING = word_set("다녀 돌아 내려 올라 들어 건너 찾아 넘어")
"""What is before 와 in verbs of coming; the 와 looks like the particle."""
_PLANNED = lazy_compile(r"[려다라자]는$|려던$|려고$|기로$|[할될갈올줄]$")
"""Verbs behind another in a series that take it into a plan or a report: `도입하여 유도하려는 방침`."""
_POLITE = (
    (lazy_compile(r"(?:이)?십시오$|(?:으)?세요$|(?:으)?십시오$"), "라"),
    (lazy_compile(r"입니다$|이에요$|예요$|이어요$"), "이다"),
    (lazy_compile(r"습니다$|는다$|아요$|어요$"), "다"),
)
_CONTRACTED = (
    ("하였", "했"), ("되었", "됐"), ("하여야", "해야"), ("하여", "해"), ("아니하", "않"), ("아니한", "않는"),
    ("않으", "않"),
    ("되어", "돼"),    ("지아니", "지않"), ("이었", "였"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a sentence: what it says, and what part it plays."""

    text: str
    """Without particles; a predicate without its ending."""
    role: str
    """Of a noun what its particle says ("" without one); of a predicate `predicate` or `connective`."""
    tense: str = ""
    """`past`, or "" (present, future and none)."""
    linked: bool = False
    """Whether it is a verb in -아 or -어, which tells how or wherewith the next one is done."""

    @property
    def verb(self) -> bool:
        return self.role in ("predicate", "connective")

    @property
    def written(self) -> str:
        """The word with the ending that was taken for a particle or a connective."""
        return self.text + {"topic": "는", "toward": "으로", "connective": "고"}.get(self.role, "")


def words_of(text: str) -> tuple[Word, ...]:
    """The words of a Korean sentence, figures and politeness in one form."""
    text = figures(unicodedata.normalize("NFKC", text).replace("\n", " "))
    text = re.sub(r"\(([^()]*)\)", lambda m: f" ({m[1].replace(' ', '_')}) ", text)
    text = re.sub(r"(\()주\)", "", text)
    text = re.sub(
        r"(?<=[가-힣A-Za-z])\s?(\([^()\s]*\)) ?([은는이가을를의와과]|에서?|으?로)(?=[\s,])", r"\2 \1", text
    )
    text = re.sub(r"(?<=[’”\"'』」》〉]) (?=(?:[은는이가을를의와과]|에서?|으?로)\s)", "", text)
    text = re.sub(r"[‘’“”\"'『』「」《》〈〉]", "", text)
    text = re.sub(r"(?<=[년월일시]) (?=(?:부터|까지)\s)", "", text)
    raw = [piece.rstrip(".?!") for piece in text.replace(",", " , ").replace(";", " ; ").split()]
    words = [
        _word(piece, last=i == len(raw) - 1, behind=raw[i + 1] if i + 1 < len(raw) else "")
        for i, piece in enumerate(raw)
        if piece
    ]
    return tuple(_serial(words))


def _serial(words: Sequence[Word]) -> Iterator[Word]:
    """The words, with `이겨` in `오만을 이겨 우승을 확정했다` as a verb: behind an object and before no auxiliary."""
    denied = bool(words) and bool(re.search(r"[않못없]", words[-1].text))
    for i, word in enumerate(words):
        before, behind = words[i - 1] if i else None, words[i + 1] if i + 1 < len(words) else None
        ahead = next((k for k in range(i + 1, len(words)) if words[k].verb), len(words))
        planned = any(_PLANNED.search(w.written) for w in words[i + 1 : ahead])
        came = word.role == "with" and word.text in _COMING  # 다녀와
        role, text = ("", word.text + "와") if came else (word.role, word.text)
        serial = (
            not planned and before is not None and before.role in _ARGUMENTS and role == "" and not denied
        )
        if serial and (came or _LINKING.search(text)) and behind is not None and not behind.verb:
            yield Word(
                re.sub(r"돼$", "되", re.sub(r"해$|하여$", "하", re.sub(r"(?<=.)[아어]$", "", text))),
                "connective",
                linked=True,
            )
        else:
            yield word


def figures(text: str) -> str:
    """The text with `5만 8,400원` as `58400원`, `두 번` as `2번` and `퍼센트` as `%`."""
    text = re.sub(rf"(?<![가-힣])({'|'.join(_NATIVE)})\s(?={_COUNTERS})", lambda m: _NATIVE[m[1]], text)
    text = re.sub(r"(\d)\s(?=(?:번째|개월|가지|곳|명|번|지점))", r"\1", text)
    text = re.sub(r"(\d+)개\s(?=지점|나라|도시|섬|팀)", r"\1", text)
    text = re.sub(r"(\d)달(?=\s|동안|$)", r"\1개월", text)
    text = re.sub(r"\s?(?:퍼센트|프로(?=[\s가를는로]))", "%", text)
    return _FIGURE.sub(_one_figure, text)


def _one_figure(match: re.Match[str]) -> str:
    written = match[0].replace(",", "")
    parts = _PART.findall(written)
    if not any(scale for _, scale in parts):
        return written
    total = sum((Decimal(figure) * _SCALES.get(scale, 1) for figure, scale in parts), Decimal(0))
    return f"{total.normalize():f}" + ("여" if "여" in written else "")


def _word(written: str, *, last: bool, behind: str) -> Word:
    if written in ",;":
        return Word(written, _MARK)
    if written.startswith("("):
        return Word(written, "aside")
    if written in OPENERS:
        return Word(written, "")
    if behind == "," and len(written) > 2 and written.endswith("로"):  # "A는 B로, …": A is B, and …
        return Word(re.sub("으?로$", "이", written), "connective")
    plain = _plain(written)
    predicate = _predicate(plain, last)
    if predicate is not None:
        return predicate
    return _noun(plain)


def _plain(token: str) -> str:
    """The word with its contractions and politeness in one form."""
    for long, short in _CONTRACTED:
        token = token.replace(long, short)
    token = re.sub(r"셔야", "야", token)
    for pattern, plain in _POLITE:
        token = pattern.sub(plain, token)
    decomposed = unicodedata.normalize("NFD", token)
    decomposed = re.sub(
        "(?:\u11b8니|\u11ab)다$".replace("니", unicodedata.normalize("NFD", "니")).replace(
            "다", unicodedata.normalize("NFD", "다")
        ),
        unicodedata.normalize("NFD", "다"),
        decomposed,
    )
    decomposed = re.sub(unicodedata.normalize("NFD", "시") + "\u11af$", "\u11af", decomposed)
    return unicodedata.normalize("NFC", decomposed)


def _predicate(plain: str, last: bool) -> Word | None:
    """The word as a predicate, when its ending is a final or a connective one."""
    if last and (_FINAL.search(plain) or plain.endswith("라")):
        return _stem(plain[:-1] if plain != "다" else plain, "predicate")
    match = _CONNECTIVE.search(plain)
    quoted = match is not None and match[0] == "고" and plain[-2:-1] in ("라", "다", "냐")
    if match is None or len(plain) <= len(match[0]) or plain in _NOT_CONNECTIVE or quoted:
        return None
    if match[0] == "나" and not re.search(r"[았었했됐였]으?나$|[으]나$", plain):
        return None
    return _stem(plain[: match.start()], "connective")


def _stem(text: str, role: str) -> Word:
    """The stem of a predicate and its tense."""
    for ending, stem in (("했", "하"), ("됐", "되"), ("였", "이")):
        if text.endswith(ending):
            return Word(text[: -len(ending)] + stem, role, "past")
    if text and text[-1] in "았었" and len(text) > 1:
        return Word(text[:-1], role, "past")
    decomposed = unicodedata.normalize("NFD", text)
    if decomposed.endswith("\u11bb") and not text.endswith(("있", "겠")):
        return Word(unicodedata.normalize("NFC", decomposed[:-1]), role, "past")
    if text and text[-1] not in "하되이" and role and re.search(r"[년월일원%명개장회번곳시간m℃]$", text):
        return Word(text + "이", role)
    return Word(text, role)


def _fits(stem: str, particle: str) -> bool:
    """Whether the particle has the form that it takes behind the stem: 가 behind a vowel, 이 behind a consonant."""
    if not "가" <= stem[-1] <= "힣":
        return True
    closed = (ord(stem[-1]) - ord("가")) % 28 > 0
    return particle not in ("가를는와" if closed else "이을은과")


def _noun(token: str) -> Word:
    """The word without its particles, and what they make of it."""
    if token in _NO_PARTICLE:
        return Word(token, "")
    extra = ""
    for topic in _TOPICS:
        if token.endswith(topic) and any(
            token[:-1].endswith(p) and len(token) > len(p) + 1 for p, _ in _PARTICLES[:22]
        ):
            token = token[:-1]
            break
    for limit, name in _LIMITS:
        if token.endswith(limit) and len(token) > len(limit) + 1:
            stripped = token[: -len(limit)]
            if (
                limit in ("밖에", "조차", "마저")
                or any(stripped.endswith(p) for p, _ in _PARTICLES[:20])
                or len(stripped) > 1
            ):
                token, extra = stripped, name
                break
    for particle, role in _PARTICLES:
        if (
            token.endswith(particle)
            and len(token) > len(particle)
            and _fits(token[: -len(particle)], particle)
        ):
            return Word(token[: -len(particle)], role + extra)
    return Word(token, extra)
