"""What of a sentence a claim may leave out: before its first word, between two words, and behind its last."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answering import rewrites as words
from rag.answering.alignment_units import (
    CLAUSAL,
    IN_CASES,
    JOINING,
    LEFT_OUT,
    LONGEST_AMOUNT,
    LONGEST_MEMBER,
    LONGEST_NOUN,
    LONGEST_PLACE,
    Units,
)
from rag.answering.coordination import ENDING, is_reported
from rag.answering.english_words import PUNCTUATION, YEAR, is_past, time_end
from rag.text.patterns import lazy_compile

_APART = words.word_set(
    "with such including after following therefore like especially particularly notably as in at on up down"
)
"""Words with which a unit behind a comma adds something that the sentence is true without."""
_LIMITING = words.word_set("least most part only some") | IN_CASES
_CLOSING = frozenset(')"”')
"""Marks that belong to what is before them."""
_CONNECTING = frozenset(
    (
        "for instance",
        "for example",
        "as such",
        "as a result",
        "in addition",
        "in turn",
        "in fact",
        "of course",
        "as a consequence",
        "by contrast",
        "in contrast",
        "in particular",
    )
)
"""Phrases that only join a sentence to the one before."""
_NOMINATIVES = words.word_set("he she they there we this")
"""Words that only a clause begins with behind "and"."""
_RANK = lazy_compile(r"(?:2nd|3rd|\dth|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)-?\w*est")
_INVERTED = words.word_set("had was were")
"""Verbs that stand in front of their subject in a condition: `Had it rained, ...`."""
_APART_FROM_FACT = words.word_set(
    "film films movie movies novel novels story stories myth myths mythology legend legends folklore dream dreams"
    " tale fiction game theory paper play opera operas musical ballet poem poems epic saga fable episode episodes"
    " series comic comics manga simulation simulations scenario scenarios timeline average version versions"
    " assumption alternative cases best worst belief tradition principle effigy"
)
"""Where something holds that need not hold in the world, or not exactly: `in the film`, `on paper`, `at best`."""
_OUTLOOKS = words.word_set(
    "account accounts perspective viewpoint standpoint eyes opinion view plan proposal"
)
"""With whom or by what something is so that need not be so: `by his own account`, `under the plan`."""
_DEGREES = words.word_set("part name")
"""How far something is so: `in part`, `in name`; `in part of the town` says where."""
_MEASURED = words.word_set(
    "adjusted measured weighted corrected counting ignoring leaving discounting disregarding compared comparing"
    " taking taken considering judged judging allowing calculated expressed seen viewed excluding failing"
)
"""Participles in front that say how a figure is reckoned, or in which light something is so."""
_ORIGINS = words.word_set(
    "located situated founded established built born named known called opened completed designed created formed"
    " published released lying standing being having stretching spanning covering"
)
"""Participles in front that tell what a thing is or was anyway; others may be a condition: `stored dry, ...`."""
_RETRACTIONS = words.word_set(
    "disproved refuted wrong false untrue mistaken retracted overturned reversed cancelled canceled withdrawn"
    " denied denies debunked invalid annulled discredited fabricated hoax incorrect lie lies lied disputed"
    " contested unconfirmed unverified doubtful questionable citation"
)
"""Words by which a clause takes back, or doubts, what was said before it."""


def _is_qualified(gap: Sequence[str]) -> bool:
    """Whether a gap says that something is so in a story, a version or one respect only: `in the first film`."""
    for i, token in enumerate(gap):
        told = {*gap[i + 1 : i + 1 + LONGEST_PLACE]}
        part = _DEGREES & {*gap[i + 1 : i + 2]} or gap[i + 1 : i + 3] in (
            ["large", "part"],
            ["small", "part"],
        )
        if token in ("in", "on", "at") and (_APART_FROM_FACT & told or (part and "of" not in gap[i:])):
            return True
        if token in words.PREPOSITIONS and _OUTLOOKS & told:
            return True
    return False


def _counts(behind: Sequence[str]) -> bool:
    """Whether "only" is said of what its clause is about, and not of when or how: `and only two trains run`."""
    return len(behind) > 2 and behind[0] not in words.PREPOSITIONS | words.CONDITIONS | {"to", "by", "as"}


class Gaps(Units):
    """What of a source a claim may leave out."""

    def may_skip(self, start: int, end: int, *, first: bool) -> bool:
        """Whether the source's tokens `start` to `end` may be left out before the next word."""
        gap = self._gap(start, end)
        if all(t in PUNCTUATION or t in words.ARTICLES for t in gap):
            return True
        if self._respective(gap) or _is_qualified(gap) or is_reported(gap):
            return False
        if first:
            return self._leading(gap, end) or self._before_antecedent(gap, end)
        if len(gap) == 1 and gap[0] in words.BE_PAST and self.tokens[end] in words.ERGATIVES:
            return True
        if self._measured(gap, start, end):
            return True
        if gap[0] == "not" and self.tokens[start - 1] in words.COPULAS:  # "is not a, but rather b"
            rest = [t for t in gap[1:] if t not in PUNCTUATION and t not in ("rather", "instead", "also")]
            return rest[-1:] == ["but"] and not (words.GUARDS - {"only"} | {"that", ";"}) & set(rest)
        return (
            self._bracketed(gap, end)
            or self._phrase(gap, end=end)
            or self._listed(gap, start, end)
            or self._one_of_two(gap, start, end)
            or self._amount_of_change(gap, end)
        )

    def may_end(self, start: int) -> bool:
        """Whether all from `start` on may be left out, one unit after another."""
        if start not in self._ends:
            self._ends[start] = self._ends_at(start)
        return self._ends[start]

    def _ends_at(self, start: int) -> bool:
        gap = self._gap(start, len(self.tokens))
        marks = all(t in PUNCTUATION for t in gap)
        if marks or self._respective(gap) or _is_qualified(gap) or is_reported(gap) or _RETRACTIONS & {*gap}:
            return marks
        if self._last_unit(gap, start):
            return True
        units = (i for i in range(start + 1, len(self.tokens)) if self._begins_unit(i))
        return any(self._unit(start, i) and self.may_end(i) for i in units)

    def _gap(self, start: int, end: int) -> list[str]:
        """The tokens that are left out, the noun in `nine states` as one that reports nothing."""
        places = (i for i in range(start, end) if i not in self.apart)
        noun = (*self.tokens[1:], "")
        return [
            "lands" if self.tokens[i] == "states" and noun[i] != "that" else self.tokens[i] for i in places
        ]

    def _unit(self, start: int, end: int) -> bool:
        """Whether the phrase or aside from `start` to `end` may be left out before something else that may."""
        gap = self._gap(start, end)
        if not gap:
            return False
        if gap[0] in ("and", "but"):
            return self._joined(gap, start)
        if gap[0] == "," and len(gap) > 1 and self.tokens[end] in (",", ";", *JOINING):
            opening = [t for t in gap if t not in PUNCTUATION][:3]
            place = self.tokens[end] not in ("and", "or") and self._wider_place(gap[1:], start)
            return place or self._further(gap[1:], opening, start)
        return self._bracketed(gap, end) or self._phrase(gap, at_end=gap[0] in ("before", "when"), end=end)

    def _last_unit(self, gap: list[str], start: int) -> bool:
        """Whether the rest of a sentence may be left out as one unit."""
        while gap[0] in _CLOSING or (
            gap[0].endswith("ly") and gap[1:2] == ["because"]
        ):  # "mainly because of"
            gap = gap[1:]
        opening = [t for t in gap if t not in PUNCTUATION][:3]
        if gap[0] == ";":
            return not words.CONDITIONS & set(opening)
        if gap[0] in ("(", "—", "–"):
            return not self._limited(gap) and not (words.CONDITIONS | words.NEGATIONS) & set(gap[:-1])
        if gap[0] == ",":
            return self._further(gap[1:], opening, start) or self._wider_place(gap[1:], start)
        if gap[0] == "because" and (words.NEGATIONS | {"few", "only"}) & {*self.claim}:
            return False  # "he did not resign because of the scandal"
        if gap[0] in (":", "because", "although", "though", "whereas", "while"):
            return True
        if gap[0] in ("and", "but"):
            return self._joined(gap, start)
        if gap[0] == "to":
            return self._purpose(gap, start)
        if gap[0] == "compared":  # to another figure; compared to another year, a change is none by itself
            return len(gap) > 2 and gap[2][0].isdigit() and not YEAR.fullmatch(gap[2])
        return self._added(gap, start) or self._phrase(gap, at_end=True)

    def _joined(self, gap: Sequence[str], start: int) -> bool:
        """A further clause or verb behind "and" or "but" at the end."""
        if gap[1:2] == ["not"] and any(t.endswith("ly") or t in words.PREPOSITIONS for t in gap[2:3]):
            return False  # an exception
        if {"both", "between"} & {*self.tokens[max(start - LONGEST_NOUN, 0) : start]}:
            return False  # the first of a pair is not the pair
        said = [t for t in gap[1:] if t not in words.ADVERBS and t not in PUNCTUATION]
        verb = said[0] if said else ""
        if gap[0] == "and" and {"no", "none", "neither", "nobody", "few", "either"} & {*self.claim}:
            return False
        collective = words.COLLECTIVES & {*self.tokens[max(start - LONGEST_MEMBER, 0) : start]}
        if (is_past(verb) and self.happened) or (
            self.loose and not collective
        ):  # another thing that was done
            return not words.EXCEPTIONS & {*gap}
        if gap[0] == "but" and (is_past(verb) or verb in words.FINITE):  # its conditions are its own
            return not words.CONDITIONS & {*self.claim}
        narrowed = self._counted_over(gap, start) or self._equated(start) or self._restricting(verb, start)
        if gap[0] == "and" and narrowed:
            return False
        several = "of" in self.tokens[max(start - LONGEST_AMOUNT, 0) : start] and not self.plain
        if (collective or several) and gap[0] == "and":
            return False  # "a merger of a and b" is none of a
        own = (
            {"only"}
            if said[:1] == ["only"] and any(is_past(t) or t in words.COPULAS for t in said)
            else set()
        )
        when = {"when", "where"} if gap[0] == "but" and not {"when", "where"} & {*gap} else set()
        return not words.CONDITIONS & {*gap, *self.claim} - own - {"than"} - when

    def _added(self, gap: Sequence[str], start: int) -> bool:
        """What the claim is true without: how something was done, which of its kind, whom a rank comes after."""
        if words.NEGATIONS & {*self.claim} or words.EXCEPTIONS & {*gap}:
            return False
        if self._modifier(gap, start):
            return True
        if (words.NEGATIONS | words.CONDITIONS) & {*gap}:
            return False
        if (gap[0] == "by" and len(gap) > 1 and gap[1].endswith("ing")) or (
            self.happened and gap[:2] == ["based", "on"]
        ):
            return True
        if gap[:3] == ["in", "addition", "to"]:
            return True
        if gap[0] == "before" and gap[1:2] and gap[1].endswith("ing"):
            return not words.GUARDS & {*self.claim}
        if gap[:2] == ["such", "as"] or gap[0] == "including":  # what its kind is told by
            return not words.QUANTITIES & {*self.claim}
        if words.CONDITIONS & {*self.claim}:
            return False
        if gap[0] in ("after", "behind"):
            return any(_RANK.fullmatch(token) for token in self.claim)
        return False

    def _further(self, gap: Sequence[str], opening: Sequence[str], start: int) -> bool:
        """A unit behind a comma at the end: a clause, an apposition, more of a list."""
        head = gap[0] if gap else ""
        if head in ("when", "where"):
            return self.loose or bool(words.BE_PAST & set(self.tokens))
        if self.tokens[0] in ("though", "although", "whereas"):
            return ";" not in gap
        own = (
            {"only"} if head in JOINING and "only" in gap and _counts(gap[gap.index("only") + 1 :]) else set()
        )
        if words.CONDITIONS & set(opening) - {"when", "where"} - own or opening[:2] == ["up", "to"]:
            return False
        if head in words.HEDGES | words.ATTRIBUTIONS:  # "sometimes causing fires" hedges itself alone
            return head in words.HEDGES and len(opening) > 1 and opening[1].endswith("ing")
        adds = opening[1:] if head.endswith("ly") else opening
        participle = bool(adds) and (is_past(adds[0]) or adds[0].endswith("ing"))
        free = not words.CONDITIONS & set(gap) and not _LIMITING & set(opening)
        if head in ("then", "either") or (head == "without" and opening[1:2] and opening[1].endswith("ing")):
            return not words.CONDITIONS & {*gap}  # what comes after, or does not happen beside
        if opening[1:2] == ["of"] and opening[2:3] in (["which"], ["whom"], ["them"], ["these"]):
            return True
        if free and (participle or head in _APART or self._rest_of_list(gap, start)):
            return True
        known = head in words.CLAUSE_OPENERS | words.RELATIVES | words.ARTICLES | {"since"} or head.endswith(
            "ing"
        )
        return known or bool({"which", "whom"} & set(opening)) or self._phrase(gap)

    def _leading(self, gap: Sequence[str], end: int) -> bool:
        """What stands before the claim's first word."""
        said = [t for t in gap if t not in PUNCTUATION]
        if all(t in words.CONNECTIVES for t in said) or " ".join(said) in _CONNECTING:
            return True
        if gap[-1] == ";":
            return not words.CONDITIONS & set(said[:1])
        if said[0] in words.CONNECTIVES and len(said) > 1:
            return self._leading(gap[gap.index(said[0]) + 1 :], end)
        if len(said) == 1 and said[0] in ("though", "although", "whereas", "while", "because"):
            return True
        last = gap[max((i for i, t in enumerate(gap) if t == ";"), default=-1) + 1 :]
        if gap[-1] in JOINING and "," in gap[-2:]:
            scoped = (
                (words.CONDITIONS | words.ATTRIBUTIONS) - (ENDING if self.happened else {"than"}) - {"only"}
            )
            own = self.tokens[end] in words.PREPOSITIONS
            fronted = (
                last[0] in words.PREPOSITIONS and not own and not self.loose
            )  # "in Europe, costs fell, and profits rose 3 %"
            fronted = fronted and not (self.dated and time_end(last, 1) > 1)
            return not (fronted or scoped & set(last[:-1])) and last[0] not in {"when", "where", *_INVERTED}
        if (
            gap[-1] == "which" and gap[-3:-2] == [","] and gap[-2] in words.PREPOSITIONS
        ):  # ", for which he was fined"
            scoped = (words.CONDITIONS | words.ATTRIBUTIONS | words.NEGATIONS) & {*gap}
            return not scoped and not any(i < end for i in self.apart)
        subject = self.tokens[end] in _NOMINATIVES or (
            self.tokens[end] in ("it", "you") and {*self.tokens[end + 1 : end + 2]} & words.FINITE
        )
        clause = gap[-1] == "but" and not {*gap[-2:-1]} & (words.NEGATIONS | words.QUANTITIES | words.COPULAS)
        if (gap[-1] == "and" and subject) or clause:
            return not (CLAUSAL - words.COPULAS - ENDING | words.HEDGES) & set(gap)
        if subject and gap[-1] != ",":  # "as a young man he worked"
            return self._phrase(gap)
        lasting = {"since"} if {"has", "have"} & {*self.claim} else set()
        dated = self.dated and said[0] in LEFT_OUT | {"that"} | lasting and time_end(said, 1) == len(said) > 1
        return dated or (gap[-1] == "," and self._leading_unit(gap, said))

    def _leading_unit(self, gap: Sequence[str], said: Sequence[str]) -> bool:
        """A subordinate clause, a participle or a phrase before a comma."""
        if said[0] in ("because", "although", "though", "despite", "whereas", "while"):
            return gap.count(",") == 1
        if said[0] in ("a", "an") and not CLAUSAL & set(gap) and not any(is_past(t) for t in gap):
            return True  # an apposition before its noun
        participle = (is_past(said[0]) and said[0] not in _INVERTED) or said[0].endswith("ing")
        participle = participle and said[0] not in _MEASURED | words.PREPOSITIONS
        participle = participle and (self.happened or said[0] in _ORIGINS)
        guards = words.CONDITIONS | words.NEGATIONS | words.HEDGES | words.ATTRIBUTIONS
        if participle and gap.count(",") == 1 and not guards & set(gap):
            return True
        if said[0] in ("unlike", "like") and gap.count(",") == 1:
            return True
        if said[0] == "with" and (self.happened or words.BE_PAST & {*self.claim}):
            return gap.count(",") == 1 and not words.GUARDS & {*gap}
        if said[0] in ("when", "after", "soon", "following") and self.dated:
            return gap.count(",") == 1 and any(is_past(t) for t in gap)
        if said[0] in ("to", "for") and not self.event:
            return False  # "to her supporters, she was the queen"
        return self._phrase([t for t in gap if t != ","])
