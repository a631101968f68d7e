"""What of a sentence a claim may leave out without saying something else."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answering import rewrites as words
from rag.answering.coordination import ENDING, clause_start, shares_subject
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
    """Whether a gap says that something is so in a story, a version or one respect only."""
    return bool({"in", "on", "at"} & {*gap}) and bool(_APART_FROM_FACT & {*gap})


class Gaps:
    """What of a source a claim may leave out."""

    def __init__(self, source: Source, claim: tuple[str, ...], apart: frozenset[int]) -> None:
        self.source = source
        self.tokens = source.tokens
        self.claim = claim
        self.apart = apart
        labels = ("", *claim)
        figures = [
            token
            for before, token in zip(labels, claim, strict=False)
            if token[0].isdigit() and not YEAR.fullmatch(token) and before not in words.LABELS
        ]
        narrow = words.SUPERLATIVES | words.NEGATIONS | words.QUANTITIES | words.HEDGES | {"%"}
        superlative = any(t.endswith("est") and len(t) > 5 and not t.endswith(_NO_RANK) for t in claim)
        happened = any(
            is_past(token) and before not in words.ARTICLES  # "a defined benefit plan" tells nothing
            for before, token in zip(labels, claim, strict=False)
        )
        self.happened = happened
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
        gap = [self.tokens[i] for i in range(start, end) if i not in self.apart]
        if all(t in PUNCTUATION or t in words.ARTICLES for t in gap):
            return True
        if self._respective(gap) or _is_qualified(gap):
            return False
        if first:
            return self._leading(gap, end) or self._before_antecedent(gap, end)
        if len(gap) == 1 and gap[0] in words.BE_PAST and self.tokens[end] in words.ERGATIVES:
            return True
        if gap[0] == "not" and self.tokens[start - 1] in words.COPULAS:  # "is not a, but rather b"
            rest = [t for t in gap[1:] if t not in PUNCTUATION and t not in ("rather", "instead", "also")]
            return rest[-1:] == ["but"] and not (words.GUARDS - {"only"} | {"that", ";"}) & set(rest)
        return (
            self._bracketed(gap)
            or self._phrase(gap)
            or self._listed(gap, start)
            or shares_subject(self.source, self.claim, gap, start, end)
            or self._one_of_two(gap, start, end)
            or self._amount_of_change(gap, end)
        )

    def may_end(self, start: int) -> bool:
        """Whether all from `start` on may be left out."""
        gap = [self.tokens[i] for i in range(start, len(self.tokens)) if i not in self.apart]
        marks = all(t in PUNCTUATION for t in gap)
        if marks or self._respective(gap) or _is_qualified(gap) or _RETRACTIONS & {*gap}:
            return marks
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
        if said and is_past(said[0]):  # another thing that the subject did
            return not (words.CONDITIONS - {"where", "than"}) & set(gap)
        if words.COLLECTIVES & {*self.tokens[max(start - _LONGEST_MEMBER, 0) : start]} and gap[0] == "and":
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
        unfinished = words.TAKING_TO | words.HEDGES | words.ATTRIBUTIONS | words.NEGATIONS | words.COPULAS
        if self.tokens[start - 1] in unfinished or words.CONDITIONS & set(gap):
            return False
        if self.loose:
            return True
        plain = not (words.HEDGES | words.NEGATIONS | words.QUANTITIES | {"from"}) & set(self.claim)
        verb = len(gap) > 1 and gap[1].isalpha() and gap[1] not in words.ARTICLES
        return plain and verb and not words.COPULAS & {*self.tokens[max(start - 3, 0) : start]}

    def _added(self, gap: Sequence[str], start: int) -> bool:
        """What the claim is true without: how something was done, which of its kind, whom a rank comes after."""
        if words.NEGATIONS & {*gap, *self.claim} or words.CONDITIONS & {*gap}:
            return False
        if (gap[0] == "by" and len(gap) > 1 and gap[1].endswith("ing")) or (
            self.happened and gap[:2] == ["based", "on"]
        ):
            return True
        if gap[:3] == ["in", "addition", "to"]:
            return True
        if gap[:2] == ["such", "as"] or gap[0] == "including":  # what its kind is told by
            return not words.QUANTITIES & {*self.claim}
        if words.CONDITIONS & {*self.claim}:
            return False
        if gap[0] in ("after", "behind"):
            return any(_RANK.fullmatch(token) for token in self.claim)
        phrase = self.tokens[max(start - _LONGEST_NOUN, 0) : start]
        breaks = [i for i, t in enumerate(phrase) if t in words.COPULAS or (is_past(t) and "-" not in t)]
        noun = phrase[breaks[-1] + 1 :] if breaks else phrase
        told = gap[0] in ("that", "which", "who") or is_past(gap[0]) or gap[0] in _TELLING
        return told and bool({"a", "an"} & {*noun})

    def _further(self, gap: Sequence[str], opening: Sequence[str]) -> bool:
        """A unit behind a comma at the end: a clause, an apposition, more of a list."""
        head = gap[0] if gap else ""
        if head in ("when", "where"):
            return self.loose or bool(words.BE_PAST & set(self.tokens))
        if words.CONDITIONS & set(opening) - {"when", "where"} or opening[:2] == ["up", "to"]:
            return False
        if head in words.HEDGES | words.ATTRIBUTIONS:  # "sometimes causing fires" hedges itself alone
            return head in words.HEDGES and len(opening) > 1 and opening[1].endswith("ing")
        if self.tokens[0] in ("though", "although", "whereas"):
            return ";" not in gap
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
            scoped = (words.CONDITIONS | words.ATTRIBUTIONS) - ENDING
            return not scoped & set(last[:-1]) and last[0] not in ("when", "where")
        subject = self.tokens[end] in _NOMINATIVES or (
            self.tokens[end] in ("it", "you") and {*self.tokens[end + 1 : end + 2]} & words.FINITE
        )
        clause = gap[-1] == "but" and not {*gap[-2:-1]} & (words.NEGATIONS | words.QUANTITIES | words.COPULAS)
        if (gap[-1] == "and" and subject) or clause:
            return not (_CLAUSAL - words.COPULAS - ENDING | words.HEDGES) & set(gap)
        dated = self.dated and said[0] in _LEFT_OUT | {"that"} and time_end(said, 1) == len(said) > 1
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
        if said[0] == "unlike" and gap.count(",") == 1:
            return True
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

    def _listed(self, gap: Sequence[str], start: int) -> bool:
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
        if words.PREPOSITIONS & set(inside):
            return False
        opens = is_past(before) or before in words.COPULAS | words.PREPOSITIONS | {"include", "includes"}
        return opens and gap[-1] in (",", "and")

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

    def _phrase(self, gap: Sequence[str], *, at_end: bool = False) -> bool:
        """Adverbs, or where and when of something that happened."""
        if all(t in words.ADVERBS or t == "as" for t in gap):
            return gap[0] != "too" and (self.happened or not words.MANNER & set(gap))
        if self.dated and gap[0] in _LEFT_OUT and time_end(gap, 1) == len(gap):
            return True
        if not self.loose or gap[0] not in words.PLACING or words.GUARDS & set(gap):
            return False
        if at_end:
            return ";" not in gap
        clauses = words.CLAUSE_OPENERS - {"and"} | words.RELATIVES | {";", "that"}
        verbs = any(is_past(t) or t in words.COPULAS for t in gap)
        return not clauses & set(gap) and not verbs

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
