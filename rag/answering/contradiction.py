"""Whether a quoted sentence says the opposite of a claim.

A claim contradicts a sentence when it would follow from it but for one change: a negation put in or left out, another
figure, a word turned into its opposite, the parts of subject and object exchanged, "all" where the sentence says
"most". So only claims that are otherwise the sentence's own words are found, and nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import combinations, permutations, product
from typing import Literal

from rag.answering import alignment, alignment_korean, korean_words
from rag.answering import rewrites as words
from rag.answering.english_words import PUNCTUATION, YEAR, is_past, tokenize
from rag.text.language import language_of
from rag.text.patterns import lazy_compile

Contradiction = Literal["negation", "figure", "opposite", "roles", "quantity"]
Tokens = tuple[str, ...]
Opposites = tuple[tuple[tuple[str, ...], ...], ...]


def _opposites(text: str) -> Opposites:
    """Groups of words that exclude each other: sides with `/` between them, words of one side with commas."""
    return tuple(tuple(tuple(side.split(",")) for side in group.split("/")) for group in text.split())


_OPPOSITES = _opposites(
    "more/less,fewer most/least increased,rose,grew,gained/decreased,fell,declined,dropped"
    " raised/lowered,reduced increase,rise/decrease,decline,fall,drop gain/loss won/lost before/after"
    " first/last highest/lowest largest,biggest/smallest longest/shortest oldest/youngest,newest best/worst"
    " higher/lower larger,bigger/smaller longer/shorter older/younger,newer faster/slower earlier/later"
    " early/late north/south/east/west northern/southern/eastern/western above/below"
    " inside,indoors/outside,outdoors open/closed opened/closed accepted,approved/rejected,refused"
    " allowed,permitted/forbidden,prohibited,banned included/excluded legal/illegal possible/impossible"
    " profit/loss up/down supported/opposed nobody/somebody,everybody,everyone nothing/everything,something"
    " always/never with/without maximum/minimum arrived/departed began,started/ended,finished"
    " spring/summer/autumn/winter public/private free/paid same/different lighter/heavier hot/cold"
    " warmer/colder left/right male/female"
    " january/february/march/april/june/july/august/september/october/november/december"
    " monday/tuesday/wednesday/thursday/friday/saturday/sunday"
)
_QUANTITIES = ("most", "many", "some", "several", "few", "half")
_ALL = ("all", "every", "each")
_MOST_WORDS = 3
"""Words of a claim that its sentence lacks, from which one change cannot make it follow: a rewrite replaces few."""
_MOST_FIGURES = 8
"""Figures of a claim from which it is a row of a table, which is not a matter of wording."""
_SYMMETRIC = words.word_set(
    "met married fought divorced resembled equalled joined merged bordered overlapped"
)
"""Verbs that say the same with subject and object exchanged."""
_KO_OPPOSITES = _opposites(
    "늘었,늘어/줄었,줄어 증가/감소 올랐/내렸,떨어졌 오르/내리,떨어지 높/낮 많/적 빨라/늦어 빠르/느리 길/짧"
    " 크/작 오래/짧게 처음/마지막 최대/최소 최고/최저 이상/이하 이전/이후 전까지/후까지 안에/뒤에 찬성/반대"
    " 승리/패배 흑자/적자 이익/손실 허용/금지 포함/제외 무료/유료 시작/종료 열/닫 상류/하류 앞/뒤 왼쪽/오른쪽"
    " 동쪽/서쪽 남쪽/북쪽 있다/없다 있습니다/없습니다 있었/없었 부터/까지"
)
_KO_NEGATIONS = (
    (lazy_compile(r"지\s?(?:않|못)(?=[는았은])"), ""),
    (lazy_compile(r"지\s?(?:아니|못)하"), ""),
    (lazy_compile(r"지\s?(?:않|못)했"), "였"),
    (lazy_compile(r"지\s?(?:않|못)(?=[다습])"), ""),
    (lazy_compile(r"[이가]?\s?아니(?=[다었라며고])"), "이"),
    (lazy_compile(r"(?<![가-힣])(?:안|못)\s"), ""),
)
_KO_FIGURE = lazy_compile(r"(?<![\d.,#])\d+(?:\.\d+)?(?![\d.,])")
_KO_ROLE = lazy_compile(r"(?<=[가-힣A-Za-z\d)])(?P<subject>[이가은는])(?=\s)|(?P<other>[을를])(?=\s)")


def contradiction(claim: str, sentence: str, before: str = "", question: str = "") -> Contradiction | None:
    """What in a claim that does not follow says the opposite of the sentence; None when nothing is known to.

    `before` is the sentence before it on the page, `question` what the claim answers (as in `alignment.follows`).
    """
    if language_of(claim) != language_of(sentence):
        return None
    if language_of(sentence) == "ko":
        changed = _korean(korean_words.figures(claim), korean_words.figures(sentence))
        return next((kind for kind, a, b in changed if alignment_korean.follows(a, b)), None)
    wanted, source = tuple(tokenize(claim)), tuple(tokenize(sentence))
    other_words = {t for t in wanted if t[0].isalpha() and t not in words.ARTICLES} - {*source}
    figures = sum(map(_is_figure, wanted))
    longest = max(len(wanted), len(source))
    if longest > alignment.LONGEST or len(other_words) > _MOST_WORDS or figures > _MOST_FIGURES:
        return None
    return next(
        (kind for kind, a, b in _english(wanted, source) if alignment.aligned(a, b, before, question)), None
    )


def _english(claim: Tokens, source: Tokens) -> Iterator[tuple[Contradiction, Tokens, Tokens]]:
    """Claim and sentence with one change of the claim undone, and what it was."""
    for i, token in enumerate(claim):
        for kind, other in _replacements(token, source):
            yield kind, (*claim[:i], other, *claim[i + 1 :]), source
    places = [i for i, token in enumerate(claim) if _is_figure(token)]
    for a, b in combinations(places, 2):
        if claim[a] != claim[b]:
            yield "figure", (*claim[:a], claim[b], *claim[a + 1 : b], claim[a], *claim[b + 1 :]), source
    yield from (("negation", a, b) for a, b in _denials(claim, source))
    yield from (("roles", variant, source) for variant in _roles(claim))


def _replacements(token: str, source: Tokens) -> Iterator[tuple[Contradiction, str]]:
    """The words of the source that the claim's word may have been put in place of."""
    for group in _OPPOSITES:
        if any(token in side for side in group):
            others = (other for side in group if token not in side for other in side)
            yield from (("opposite", other) for other in others if other in source)
    if _is_figure(token):
        for other in dict.fromkeys(source):
            if other != token and _is_figure(other) and _kind(other) == _kind(token):
                yield "figure", other
    if token in _ALL:
        yield from (("quantity", other) for other in _QUANTITIES if other in source)


def _is_figure(token: str) -> bool:
    return token[0].isdigit() or token[0] == "@"


def _kind(figure: str) -> str:
    return "date" if figure[0] == "@" else "year" if YEAR.fullmatch(figure) else "number"


def _denials(claim: Tokens, source: Tokens) -> Iterator[tuple[Tokens, Tokens]]:
    """Claim and sentence with the negation taken out of the one that has one."""
    in_claim, in_source = (any(t in ("not", "never", "no") for t in one) for one in (claim, source))
    if in_claim != in_source:
        for plain in _affirmed(claim if in_claim else source):
            yield (plain, source) if in_claim else (claim, plain)


def _affirmed(tokens: Tokens) -> Iterator[Tokens]:
    """The sentence with one negation taken out: `did not open` as `opened`."""
    for i, token in enumerate(tokens):
        if token not in ("not", "never", "no"):
            continue
        head, tail = tokens[:i], tokens[i + 1 :]
        yield (*head, *tail)
        if head and head[-1] in ("did", "does", "do") and tail:
            past = {"did": (f"{tail[0]}ed", f"{tail[0]}d"), "does": (f"{tail[0]}s",), "do": (tail[0],)}
            yield from ((*head[:-1], verb, *tail[1:]) for verb in past[head[-1]])


def _roles(claim: Tokens) -> Iterator[Tokens]:
    """The claim with its subject and its object exchanged: `A attacked B` as `B attacked A`."""
    for variant in alignment.variants(claim):
        at = next((i for i, t in enumerate(variant) if is_past(t) or t in words.COPULAS), 0)
        subject, verb, rest = variant[:at], variant[at], variant[at + 1 :]
        if not subject or not rest or not is_past(verb) or verb in _SYMMETRIC:
            continue
        stops = PUNCTUATION | (words.PREPOSITIONS - {"of"}) | words.CLAUSE_OPENERS - {"and"}
        end = next((i for i, t in enumerate(rest) if t in stops or t[0] == "@"), len(rest))
        if end and not PUNCTUATION & set(subject):
            yield (*rest[:end], verb, *subject, *rest[end:])


def _korean(claim: str, sentence: str) -> Iterator[tuple[Contradiction, str, str]]:
    for group in _KO_OPPOSITES:
        for side, opposite in permutations(group, 2):
            for word, other in product(side, opposite):
                if word in claim and other in sentence:
                    yield "opposite", claim.replace(word, other, 1), sentence
    yield from (("figure", variant, sentence) for variant in _korean_figures(claim, sentence))
    for pattern, affirmed in _KO_NEGATIONS:
        if pattern.search(claim):
            yield "negation", pattern.sub(affirmed, claim, count=1), sentence
        if pattern.search(sentence):
            yield "negation", claim, pattern.sub(affirmed, sentence, count=1)
    yield from (("roles", variant, sentence) for variant in _korean_roles(claim))


def _korean_figures(claim: str, sentence: str) -> Iterator[str]:
    """The claim with a figure of the sentence in place of one of its own, or with two of its own exchanged."""
    own, given = _KO_FIGURE.findall(claim), dict.fromkeys(_KO_FIGURE.findall(sentence))
    if len(own) > _MOST_FIGURES:
        return
    for match in _KO_FIGURE.finditer(claim):
        yield from (
            claim[: match.start()] + other + claim[match.end() :] for other in given if other != match[0]
        )
    for one, other in combinations(dict.fromkeys(own), 2):
        yield _KO_FIGURE.sub(partial(_swapped, one, other), claim)


def _swapped(one: str, other: str, match: re.Match[str]) -> str:
    return {one: other, other: one}.get(match[0], match[0])


def _korean_roles(claim: str) -> Iterator[str]:
    """`A가 B를` as `B가 A를`."""
    found = {match.lastgroup: match for match in reversed(list(_KO_ROLE.finditer(claim)))}
    if len(found) == 2:
        one, other = sorted(found.values(), key=lambda match: match.start())
        nouns = [claim[claim.rfind(" ", 0, m.start()) + 1 : m.start()] for m in (one, other)]
        yield re.sub(
            "|".join(map(re.escape, sorted(nouns, key=len, reverse=True))),
            lambda m: nouns[1 - nouns.index(m[0])],
            claim,
            count=2,
        )
