"""What of a sentence a claim may leave out without saying something else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rag.answering import rewrites as words
from rag.answering.coordination import ENDING, clause_start
from rag.answering.english_words import PUNCTUATION, YEAR, Source, is_past, time_end
from rag.text.patterns import lazy_compile

_APART = words.word_set(
    "with such including after following therefore like especially particularly notably as in at on up down"
)
"""Words with which a unit behind a comma adds something that the sentence is true without."""
_IN_CASES = words.word_set("theory principle case cases circumstances")
_NO_RANK = (
    "modest",
    "honest",
    "forest",
    "interest",
    "request",
    "protest",
    "harvest",
    "quest",
    "arrest",
    "west",
    "contest",
)
"""Ends of words in "est" that rank nothing."""
_LIMITING = words.word_set("least most part only some") | _IN_CASES
_HEDGED_ASIDE = 4
"""Words and commas from which a unit that begins with a hedge says more than it: `, mostly nitrogen and helium,`."""
_LEFT_OUT = words.word_set("in on at during between")
"""Prepositions of dates that a report of something that happened may lose; "until 2000" is a limit."""


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
_NAMINGS = [[word] for word in ("called", "known", "named", "nicknamed", "dubbed", "abbreviated")]
"""Words with which a unit between commas only tells another name."""
_JOINING = words.word_set("and but yet while whereas because although though")
_NOMINATIVES = words.word_set("he she they there we this")
"""Words that only a clause begins with behind "and"."""
_RANK = lazy_compile(r"(?:2nd|3rd|\dth|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)-?\w*est")
_CLAUSAL = (
    words.COPULAS | words.RELATIVES | words.CONDITIONS | words.ATTRIBUTIONS | {";", "that", "has", "have"}
)
"""Words of a clause, which a noun phrase lacks."""
_TELLING = words.word_set("responsible available capable suitable consisting containing belonging relating")
"""What may begin a relative clause without "which is" behind its noun; a participle may, too."""
_TIMELESS = words.word_set("is are be being can may must shall should will not")
"""Words before a participle that tell how something is or should be, and not that it happened."""
_KNOWN_AS = words.word_set(
    "known named regarded described seen treated classified defined identified viewed portrayed considered disguised"
    " listed recognised recognized interpreted dismissed as same such"
)
"""Words that say little without the "as" behind them, and those of comparisons."""
_NEXT = words.word_set(
    "the that this following next same previous year day month week morning evening season decade"
)
"""Words of a phrase without a preposition that says when."""
_LOCATING = words.word_set("in at on from near with by for along within about")
"""Prepositions of what is told of a thing by its place or parts."""
_INVERTED = words.word_set("had was were")
"""Verbs that stand in front of their subject in a condition: `Had it rained, ...`."""
_APART_FROM_FACT = words.word_set(
    "film films movie movies novel novels story stories myth legend dream dreams tale fiction game theory paper"
    " simulation simulations average version versions assumption alternative cases best worst"
)
"""Where something holds that need not hold in the world, or not exactly: `in the film`, `on paper`, `at best`."""
_RETRACTIONS = words.word_set(
    "disproved refuted wrong false untrue mistaken retracted overturned reversed cancelled canceled withdrawn denied"
    " debunked invalid annulled discredited fabricated hoax incorrect lie lies lied disputed contested unconfirmed"
    " unverified doubtful questionable citation"
)
"""Words by which a clause takes back, or doubts, what was said before it."""
_LONGEST_AMOUNT = 2
"""Words of a figure with its unit, and words behind "of" that may be the first of a pair."""
_LONGEST_MEMBER = 4
"""Words of a member of a pair that is left out: longer ones are seldom mere noun phrases."""
_LONGEST_PLACE = 4
"""Words of a place, and of the one that it lies in."""
_LONGEST_NOUN = 8
"""Words before a relative clause in which the article of its noun is looked for."""


def _is_qualified(gap: Sequence[str]) -> bool:
    """Whether a gap says that something is so in a story, a version or one respect only: `in the first film`."""
    return any(
        token in ("in", "on", "at") and _APART_FROM_FACT & {*gap[i + 1 : i + _LONGEST_PLACE]}
        for i, token in enumerate(gap)
    )


def _counts(behind: Sequence[str]) -> bool:
    """Whether "only" is said of what its clause is about, and not of when or how: `and only two trains run`."""
    return len(behind) > 2 and behind[0] not in words.PREPOSITIONS | words.CONDITIONS | {"to", "by", "as"}


class Gaps:
    """What of a source a claim may leave out."""

    def __init__(self, source: Source, claim: tuple[str, ...], apart: frozenset[int]) -> None:
        self.source = source
        self.tokens = source.tokens
        self.claim = claim
        self.apart = apart
        self._ends: dict[int, bool] = {}
        labels = ("", *claim)
        figures = [
            token
            for before, token in zip(labels, claim, strict=False)
            if token[0].isdigit() and not YEAR.fullmatch(token) and before not in words.LABELS
        ]
        narrow = (
            words.SUPERLATIVES
            | words.NEGATIONS
            | words.FORBIDDING
            | words.QUANTITIES
            | words.HEDGES - words.AIMED
            | {"%"}
        )
        superlative = any(
            (t.endswith("est") and len(t) > 5 and not t.endswith(_NO_RANK))
            or ("-" in t and t.split("-")[0] in words.SUPERLATIVES)  # "best-selling"
            for t in claim
        )
        timeless = words.ARTICLES | _TIMELESS  # "a defined benefit plan", "cars are banned" tell no event
        behind = ("", *(t for t in labels if t not in words.ADVERBS))
        happened = any(
            is_past(token) and before not in timeless
            for before, token in zip(behind[1:], [t for t in claim if t not in words.ADVERBS], strict=False)
        )
        self.happened = happened
        self.event = any(is_past(t) for t in {*claim} - words.COPULAS - {"had"})
        told = {t for i, t in enumerate(claim) if t != "up" or claim[i + 1 : i + 2] == ("to",)}  # "teamed up"
        self.loose = happened and not figures and not superlative and not narrow & told
        """Whether the claim reports something that happened, which stays true without its where and when."""
        self.plain = not figures and not superlative and not (narrow | words.COLLECTIVES) & told
        """Whether the claim counts, measures and ranks nothing, so that one member of a pair may do for both."""
        undated = narrow - words.APPROXIMATORS
        self.dated = happened and not superlative and not undated & told and "times" not in claim
        """The same of a claim that may hold figures: it stays true without its date."""

    def may_skip(self, start: int, end: int, *, first: bool) -> bool:
        """Whether the source's tokens `start` to `end` may be left out before the next word."""
        gap = self._gap(start, end)
        if all(t in PUNCTUATION or t in words.ARTICLES for t in gap):
            return True
        if self._respective(gap) or _is_qualified(gap):
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
            self._bracketed(gap)
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
        if marks or self._respective(gap) or _is_qualified(gap) or _RETRACTIONS & {*gap}:
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

    def _begins_unit(self, at: int) -> bool:
        """Whether a phrase or a clause of its own may begin at a token."""
        return self.tokens[at] in words.PREPOSITIONS | _JOINING | {",", ";", "(", "that", "which", "who"}

    def _unit(self, start: int, end: int) -> bool:
        """Whether the phrase or aside from `start` to `end` may be left out before something else that may."""
        gap = self._gap(start, end)
        if not gap:
            return False
        if gap[0] in ("and", "but"):
            return self._joined(gap, start)
        if gap[0] == "," and len(gap) > 1 and self.tokens[end] in (",", ";", *_JOINING):
            opening = [t for t in gap if t not in PUNCTUATION][:3]
            return self._further(gap[1:], opening) or self._wider_place(gap[1:], start)
        return self._bracketed(gap) or self._phrase(gap, at_end=gap[0] in ("before", "when"), end=end)

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
            return not (words.CONDITIONS | words.NEGATIONS) & set(gap[:-1])
        if gap[0] == ",":
            return self._further(gap[1:], opening) or self._wider_place(gap[1:], start)
        if gap[0] in (":", "because", "although", "though", "whereas", "while"):
            return True
        if gap[0] in ("and", "but"):
            return self._joined(gap, start)
        if gap[0] == "to":
            return self._purpose(gap, start)
        if gap[0] == "compared":  # to another figure; compared to another year, a change is none by itself
            return len(gap) > 2 and gap[2][0].isdigit() and not YEAR.fullmatch(gap[2])
        return self._added(gap, start) or self._phrase(gap, at_end=True)

    def _respective(self, gap: Sequence[str]) -> bool:
        """Whether a figure is left out of lists that "respectively" pairs: the others would pair otherwise."""
        paired = "respectively" in self.tokens and "respectively" not in self.claim
        return paired and any(token[0].isdigit() for token in gap)

    def _joined(self, gap: Sequence[str], start: int) -> bool:
        """A further clause or verb behind "and" or "but" at the end."""
        if gap[1:2] == ["not"] and any(t.endswith("ly") or t in words.PREPOSITIONS for t in gap[2:3]):
            return False  # an exception
        if {"both", "between"} & {*self.tokens[max(start - _LONGEST_NOUN, 0) : start]}:
            return False  # the first of a pair is not the pair
        said = [t for t in gap[1:] if t not in words.ADVERBS and t not in PUNCTUATION]
        verb = said[0] if said else ""
        if gap[0] == "and" and {"no", "none", "neither", "nobody", "few", "either"} & {*self.claim}:
            return False
        collective = words.COLLECTIVES & {*self.tokens[max(start - _LONGEST_MEMBER, 0) : start]}
        if (is_past(verb) and self.happened) or (
            self.loose and not collective
        ):  # another thing that was done
            return not words.EXCEPTIONS & {*gap}
        if gap[0] == "but" and (is_past(verb) or verb in words.FINITE):  # its conditions are its own
            return not words.CONDITIONS & {*self.claim}
        several = "of" in self.tokens[max(start - _LONGEST_AMOUNT, 0) : start] and not self.plain
        if (collective or several) and gap[0] == "and":
            return False  # "a merger of a and b" is none of a
        own = (
            {"only"}
            if said[:1] == ["only"] and any(is_past(t) or t in words.COPULAS for t in said)
            else set()
        )
        when = {"when", "where"} if gap[0] == "but" and not {"when", "where"} & {*gap} else set()
        return not words.CONDITIONS & {*gap, *self.claim} - own - {"than"} - when

    def _purpose(self, gap: Sequence[str], start: int) -> bool:
        """What something is or was done for: `to launch a network` behind a noun."""
        unfinished = (
            {"closed"} | words.TAKING_TO | words.HEDGES | words.ATTRIBUTIONS | words.NEGATIONS | words.COPULAS
        )
        if self.tokens[start - 1] in unfinished or (words.CONDITIONS | words.SUPERLATIVES) & {
            *gap,
            *self.claim,
        }:
            return False
        if self.loose:
            return True
        plain = not (words.HEDGES | words.NEGATIONS | words.QUANTITIES | {"from"}) & set(self.claim)
        verb = len(gap) > 1 and gap[1].isalpha() and gap[1] not in words.ARTICLES
        return plain and verb and not words.COPULAS & {*self.tokens[max(start - 3, 0) : start]}

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

    def _modifier(self, gap: Sequence[str], start: int) -> bool:
        """What is told of a noun with "a" or "an": who is a poet from Oslo, or a poet who sings, is a poet."""
        if words.CONDITIONS & {*self.claim}:
            return False
        phrase = self.tokens[max(start - _LONGEST_NOUN, 0) : start]
        verbs = words.COPULAS | {",", "has", "have", "had"}
        breaks = [
            i
            for i, t in enumerate(phrase)
            if t in verbs or (is_past(t) and "-" not in t and phrase[i - 1 : i] not in (("a",), ("an",)))
        ]
        noun = phrase[breaks[-1] + 1 :] if breaks else phrase
        if not {"a", "an"} & {*noun}:
            return False
        if gap[0] in ("that", "which", "who") or is_past(gap[0]) or gap[0] in _TELLING:
            return True
        named = breaks and phrase[breaks[-1]] in verbs and noun[0] in ("a", "an")
        where = gap[0] in _LOCATING and not (words.PREPOSITIONS | PUNCTUATION) & {*noun}
        return bool(named and where) and time_end(gap, 1) == 1

    def _further(self, gap: Sequence[str], opening: Sequence[str]) -> bool:
        """A unit behind a comma at the end: a clause, an apposition, more of a list."""
        head = gap[0] if gap else ""
        if head in ("when", "where"):
            return self.loose or bool(words.BE_PAST & set(self.tokens))
        if self.tokens[0] in ("though", "although", "whereas"):
            return ";" not in gap
        own = (
            {"only"}
            if head in _JOINING and "only" in gap and _counts(gap[gap.index("only") + 1 :])
            else set()
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
        if free and (participle or head in _APART or self._rest_of_list(gap)):
            return True
        known = head in words.CLAUSE_OPENERS | words.RELATIVES | words.ARTICLES | {"since"} or head.endswith(
            "ing"
        )
        return known or bool({"which", "whom"} & set(opening)) or self._phrase(gap)

    def _wider_place(self, gap: Sequence[str], start: int) -> bool:
        """What a place lies in: `, Oregon` behind `in Salem`."""
        if not 0 < len(gap) <= _LONGEST_PLACE or (
            words.GUARDS | words.PREPOSITIONS | _CLAUSAL | PUNCTUATION
        ) & {*gap}:
            return False
        before = self.tokens[max(start - _LONGEST_PLACE, 0) : start]
        placed = {"in", "at", "near"} & {*before} and not ("," in before or "and" in before)
        named = all(t.isalpha() and not is_past(t) and not t.endswith("ing") for t in gap)
        return bool(placed) and named and not {"and", "or"} & {*gap}

    def _rest_of_list(self, gap: Sequence[str]) -> bool:
        """Whether `b, and c` is left of a list of which the claim names the first members."""
        if "or" in gap or words.GUARDS & set(gap):
            return False
        commas = [i for i, t in enumerate(gap) if t == ","]
        if commas and commas[-1] + 1 < len(gap) and gap[commas[-1] + 1] == "and":
            return True
        return gap.count("and") == 1 and not (_CLAUSAL & set(gap) or any(is_past(t) for t in gap))

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
        if gap[-1] in _JOINING and "," in gap[-2:]:
            scoped = (
                (words.CONDITIONS | words.ATTRIBUTIONS) - (ENDING if self.happened else {"than"}) - {"only"}
            )
            return not scoped & set(last[:-1]) and last[0] not in ("when", "where")
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
            return not (_CLAUSAL - words.COPULAS - ENDING | words.HEDGES) & set(gap)
        if subject and gap[-1] != ",":  # "as a young man he worked"
            return self._phrase(gap)
        lasting = {"since"} if {"has", "have"} & {*self.claim} else set()
        dated = (
            self.dated and said[0] in _LEFT_OUT | {"that"} | lasting and time_end(said, 1) == len(said) > 1
        )
        return dated or (gap[-1] == "," and self._leading_unit(gap, said))

    def _leading_unit(self, gap: Sequence[str], said: Sequence[str]) -> bool:
        """A subordinate clause, a participle or a phrase before a comma."""
        if said[0] in ("because", "although", "though", "despite", "whereas", "while"):
            return gap.count(",") == 1
        if said[0] in ("a", "an") and not _CLAUSAL & set(gap) and not any(is_past(t) for t in gap):
            return True  # an apposition before its noun
        participle = (is_past(said[0]) and said[0] not in _INVERTED) or said[0].endswith("ing")
        guards = words.CONDITIONS | words.NEGATIONS | words.HEDGES | words.ATTRIBUTIONS
        if participle and gap.count(",") == 1 and not guards & set(gap):
            return True
        if said[0] in ("unlike", "like") and gap.count(",") == 1:
            return True
        if said[0] == "with" and (self.happened or words.BE_PAST & {*self.claim}):
            return gap.count(",") == 1 and not words.GUARDS & {*gap}
        if said[0] in ("when", "after", "soon", "following") and self.dated:
            return gap.count(",") == 1 and any(is_past(t) for t in gap)
        return self._phrase([t for t in gap if t != ","])

    def _before_antecedent(self, gap: Sequence[str], end: int) -> bool:
        """What stands before a noun phrase of which a relative clause or an apposition says what the claim says."""
        before = [t for t in gap if t not in words.ARTICLES]
        if not before or not (before[-1] in words.PREPOSITIONS - {"of"} or is_past(before[-1])):
            return False
        close = next((i for i in range(end, len(self.tokens)) if self.tokens[i] in PUNCTUATION), None)
        if close is None or self.tokens[close] != "," or words.ATTRIBUTIONS & set(gap):
            return False
        noun, opener = self.tokens[end:close], self.tokens[close + 1] if close + 1 < len(self.tokens) else ""
        names = self.claim[: len(noun)] == noun and len(self.claim) > len(noun)
        following = self.claim[len(noun)] if names else ""
        return (following == "'s" and opener == "whose") or (
            following in words.COPULAS and opener in words.ARTICLES
        )

    def _listed(self, gap: Sequence[str], start: int, end: int) -> bool:
        """Members of a list before one that the claim names, or examples."""
        inside = [t for t in gap if t not in PUNCTUATION and t != "and"]
        before = self.tokens[start - 1]
        if not inside or before == "between" or any(is_past(t) or t in words.COPULAS for t in inside):
            return False
        if (words.GUARDS | words.RELATIVES | words.CLAUSE_OPENERS - {"and"} | {";", "that"}) & {
            *inside,
            *gap,
        }:
            return False
        if gap[0] == "like" or gap[:2] == ["such", "as"] or gap[0] == "including":
            return True
        parallel = {gap[0], self.tokens[end]} <= words.ARTICLES
        apart = words.PREPOSITIONS if before in ("include", "includes") else {"of"} if parallel else set()
        if (words.PREPOSITIONS - apart) & set(inside):
            return False
        if words.COLLECTIVES & {*self.tokens[max(start - _LONGEST_MEMBER, 0) : start]}:
            return False
        opens = is_past(before) or before in words.COPULAS | words.PREPOSITIONS | {"include", "includes"}
        return (opens or (parallel and before.endswith("s"))) and gap[-1] in (",", "and")

    def _bracketed(self, gap: Sequence[str]) -> bool:
        """A parenthesis, or a unit between commas."""
        inside = set(gap)
        if gap[0] == "(" and gap[-1] == ")":
            return not (words.CONDITIONS | words.NEGATIONS) & inside
        if [t for t in gap if t not in PUNCTUATION] in (["who"], ["which"]):
            return gap[0] == ","
        if gap[0] == "," and [t for t in gap[1:] if t not in words.ADVERBS | {"often"}][:1][0:1] in _NAMINGS:
            return gap[-1] == ","
        guarded = words.CONDITIONS | words.HEDGES | words.ATTRIBUTIONS | words.NEGATIONS | _IN_CASES
        if any(is_past(t) for t in gap) and self.loose:
            guarded -= {"where", "when"}
        if gap[1:2] and gap[1] in words.HEDGES and len(gap) > _HEDGED_ASIDE:
            return gap[0] == "," == gap[-1] and not (guarded & {*gap[2:]} or ";" in gap)
        return gap[0] == "," and gap[-1] == "," and len(gap) > 1 and not guarded & inside and ";" not in gap

    def _phrase(self, gap: Sequence[str], *, at_end: bool = False, end: int = 0) -> bool:
        """Adverbs, or where and when of something that happened."""
        if all(t in words.ADVERBS or t == "as" for t in gap):
            return gap[0] != "too" and (self.happened or not words.MANNER & set(gap))
        if self.dated and gap[0] in _LEFT_OUT and time_end(gap, 1) == len(gap):
            return True
        if words.SUPERLATIVES & {*gap} and "since" in {*self.claim, *(self.tokens[i] for i in self.apart)}:
            return False  # "for the first time since 1951"
        if at_end and gap[0] in ("before", "when") and any(map(is_past, gap)):  # one event beside another
            return self.dated and self.event and not (words.GUARDS - {"when"}) & {*gap}
        if at_end and gap[0] == "despite":
            return not words.EXCEPTIONS & {*gap}
        if self.loose and {*gap} <= _NEXT:  # "the following year"
            return True
        role = gap[0] == "as" and gap[1:2] and gap[1] in words.ARTICLES and not _KNOWN_AS & {*self.claim}
        if not self.loose or not (gap[0] in words.PLACING or role) or words.GUARDS & set(gap):
            return False
        if gap[0] == "to" and (
            gap[1:2] in (["have"], ["be"]) or not gap[1:] or ({"closed"} | words.AIMED) & {*self.claim}
        ):
            return False  # "was to have been built", "was closed to lorries", "hoped to study"
        if at_end:
            return ";" not in gap
        clauses = words.CLAUSE_OPENERS - {"and"} | words.RELATIVES | {";", "that"}
        verbs = any(is_past(t) or t in words.COPULAS for t in gap)
        pairs = pairwise(gap)  # "as minister until 1931 and as judge"
        parallel = any(a == "and" and b in words.PREPOSITIONS | {"as"} for a, b in pairs)
        behind = self.tokens[end]
        closed = self._begins_unit(end) or is_past(behind) or behind.endswith(("ly", "ing")) or behind == "to"
        closed = closed or end == 0 or behind in words.FINITE | words.ADVERBS | words.ARTICLES | words.PLACING
        return not clauses & set(gap) and not verbs and not parallel and (closed or not role)

    def _one_of_two(self, gap: Sequence[str], start: int, end: int) -> bool:
        """`glass and` before `wood`, or `and wood` behind `glass`: what holds of two things holds of each.

        Not where they are counted, ranked, denied or taken together, and not where the words left out hold a verb.
        """
        first, second = gap[-1] == "and", gap[0] == "and"
        members = [t for t in gap if t != "and"]
        if first == second or not 0 < len(members) <= _LONGEST_MEMBER or not self.plain:
            return False
        if "of" in self.tokens[max(start - _LONGEST_AMOUNT, 0) : start]:
            return False  # the team of two is not the team of one
        clause = {*self.tokens[clause_start(self.tokens, start) : end]}
        apart = (
            words.NEGATIONS | words.CONDITIONS | words.SUPERLATIVES | words.COLLECTIVES | {"or", "than"}
        ) & clause
        other = words.GUARDS | words.RELATIVES | words.PREPOSITIONS | _CLAUSAL | PUNCTUATION | {"to", "of"}
        verbal = any(is_past(t) or t[0].isdigit() for t in members)
        return not apart and not other & {*members} and not verbal

    def _measured(self, gap: Sequence[str], start: int, end: int) -> bool:
        """Whether a measure before its noun is left out: a numeral and a singular: `the 34-metre lighthouse`."""
        dated = len(gap) == 1 and YEAR.fullmatch(gap[0])  # "the 1931 building"
        if not dated and (len(gap) != 2 or not gap[0][0].isdigit() or YEAR.fullmatch(gap[0])):
            return False
        before = self.tokens[max(start - 2, 0) : start]
        predicate = bool(before) and before[-1] in ("a", "an") and before[0] in words.COPULAS
        all_of = words.NEGATIONS | words.SUPERLATIVES | words.QUANTITIES | words.CONDITIONS
        article = bool(before) and before[-1] in words.ARTICLES
        unit = gap[-1]
        single = dated or (unit.isalpha() and unit not in words.PREPOSITIONS and not unit.endswith("s"))
        single = single and self.tokens[end].isalpha()
        return article and bool(single) and (predicate or self.happened) and not all_of & {*self.claim}

    def _amount_of_change(self, gap: Sequence[str], end: int) -> bool:
        """By how much, or from what, something rose or fell, before the figure that it rose or fell to."""
        spoken = [t for t in gap if t not in PUNCTUATION]
        if spoken and spoken[0] in ("by", "from"):
            spoken = spoken[1:]
        changed = {"increased", "decreased", "rose", "fell", "grew", "declined", "dropped"} & {*self.claim}
        amount = 0 < len(spoken) <= _LONGEST_AMOUNT and spoken[0][0].isdigit()
        return (
            bool(changed) and amount and self.tokens[end] in ("to", "from") and not words.GUARDS & {*spoken}
        )
