"""The phrases, asides and members of lists that a claim may leave out, and what kinds of claim may do so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rag.answering import rewrites as words
from rag.answering.coordination import clause_start
from rag.answering.english_words import PUNCTUATION, YEAR, Source, is_past, time_end

IN_CASES = words.word_set("theory principle case cases circumstances")
_NO_RANK = tuple(words.word_set("modest honest forest interest quest protest harvest arrest west contest"))
"""Ends of words in "est" that rank nothing."""
_HEDGED_ASIDE = 4
"""Words and commas from which a unit that begins with a hedge says more than it: `, mostly nitrogen and helium,`."""
LEFT_OUT = words.word_set("in on at during between")
"""Prepositions of dates that a report of something that happened may lose; "until 2000" is a limit."""
_NAMINGS = words.word_set("called known named nicknamed dubbed abbreviated")
"""Words with which a unit between commas only tells another name."""
JOINING = words.word_set("and but yet while whereas because although though")
CLAUSAL = (
    words.COPULAS | words.RELATIVES | words.CONDITIONS | words.ATTRIBUTIONS | {";", "that", "has", "have"}
)
"""Words of a clause, which a noun phrase lacks."""
_TELLING = words.word_set("responsible available capable suitable consisting containing belonging relating")
"""What may begin a relative clause without "which is" behind its noun; a participle may, too."""
_TIMELESS = words.word_set("is are be being can may must shall should will not")
"""Words before a participle that tell how something is or should be, and not that it happened."""
_PRESENT = words.word_set("is are has have can may must shall will should")
"""Verbs of a sentence that tells how things are."""
_KNOWN_AS = words.word_set(
    "known named regarded described seen treated classified defined identified viewed portrayed considered disguised"
    " listed recognised recognized interpreted dismissed as same such"
)
"""Words that say little without the "as" behind them, and those of comparisons."""
_LITTLE_ALONE = words.word_set("mistaken taken passed posed given up left held")
"""Words that say something else without "for" or "as" behind them."""
_NEXT = words.word_set(
    "the that this following next same previous year day month week morning evening season decade"
)
"""Words of a phrase without a preposition that says when."""
_LOCATING = words.word_set("in at on from near with by for along within about")
"""Prepositions of what is told of a thing by its place or parts."""
_NARROWING = words.PREPOSITIONS | words.word_set("net per outside inside above below")
"""Words of an aside that may tell where or for whom alone something holds."""
_OF_NOUN = words.word_set("a an which who whose")
"""What begins an aside that tells of the noun before it."""
_SUMMING = words.word_set(
    "consist consists consisted consisting comprise comprises comprised comprising composed total totalling sum"
    " plus minus less divided calculated defined numbered"
)
"""Words of which the list that follows is the whole."""
LONGEST_AMOUNT = 2
"""Words of a figure with its unit, and words behind "of" that may be the first of a pair."""
LONGEST_MEMBER = 4
"""Words of a member of a pair that is left out: longer ones are seldom mere noun phrases."""
LONGEST_PLACE = 4
"""Words of a place, and of the one that it lies in."""
LONGEST_NOUN = 8
"""Words before a relative clause in which the article of its noun is looked for."""


def _is_of_noun(claim: Sequence[str], at: int) -> bool:
    """Whether a past form is a participle of the subject of a present verb: `drinks sold on board are free`."""
    verb = next((i for i in range(at + 1, len(claim)) if claim[i] in _PRESENT), 0)
    openers = words.RELATIVES | words.CLAUSE_OPENERS | words.SUBORDINATORS | {"that", "what", "how"}
    return verb > 0 and claim[at] not in words.BE_PAST and not openers & {*claim[at:verb]}


class Units:
    """A claim beside a source, and what kind of claim it is."""

    def __init__(self, source: Source, claim: tuple[str, ...], apart: frozenset[int]) -> None:
        self.source = source
        self.tokens = source.tokens
        self.claim = claim
        self.apart = apart
        self._ends: dict[int, bool] = {}
        figures = [
            token
            for before, token in pairwise(("", *claim))
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
        plain = [t for t in claim if t not in words.ADVERBS]
        happened = any(
            is_past(token) and before not in timeless and not _is_of_noun(plain, i)
            for i, (before, token) in enumerate(pairwise(("", *plain)))
        )
        self.happened = happened
        """Whether the claim tells what was done or was so, and no present or rule."""
        self.summed = bool(_SUMMING & {*claim})
        """Whether it says of what a whole is made up, so that no part may be missing."""
        self.event = any(is_past(t) for t in {*claim} - words.COPULAS - {"had"})
        """Whether a verb in it tells an event, and not a state alone."""
        told = {t for i, t in enumerate(claim) if t != "up" or claim[i + 1 : i + 2] == ("to",)}  # "teamed up"
        self.loose = happened and not figures and not superlative and not narrow & told
        """Whether the claim reports something that happened, which stays true without its where and when."""
        self.plain = not figures and not superlative and not (narrow | words.COLLECTIVES) & told
        """Whether the claim counts, measures and ranks nothing, so that one member of a pair may do for both."""
        self.counted = bool(figures or superlative or (words.QUANTITIES | {"%"}) & told)
        """Whether it counts, measures or ranks something, which may be done over all members of a list."""
        undated = narrow - words.APPROXIMATORS
        self.dated = happened and not superlative and not undated & told and "times" not in claim
        """The same of a claim that may hold figures: it stays true without its date."""

    def _begins_unit(self, at: int) -> bool:
        """Whether a phrase or a clause of its own may begin at a token."""
        return self.tokens[at] in words.PREPOSITIONS | JOINING | {",", ";", "(", "that", "which", "who"}

    def _respective(self, gap: Sequence[str]) -> bool:
        """Whether a figure is left out of lists that "respectively" pairs: the others would pair otherwise."""
        kept = "respectively" in self.claim and bool({"and", ","} & {*gap})
        figures = any(token[0].isdigit() or token[0] == "@" for token in gap)
        return "respectively" in self.tokens and (figures or kept)

    def _counted_over(self, gap: Sequence[str], start: int) -> bool:
        """Whether a figure or rank is that of all members of a list: `sales rose 3 % in Asia and Europe`."""
        said = [t for t in gap if t not in PUNCTUATION and t not in words.ARTICLES and t != "and"]
        own = any(t[0].isdigit() and not YEAR.fullmatch(t) for t in said) or words.QUANTITIES & {*said}
        clause = not said or is_past(said[0]) or gap[1:2] == [","] or (words.FINITE - {"may"}) & {*said}
        if not self.counted or own or clause or self.claim[-1] != self.tokens[start - 1]:
            return False
        member = {*self.tokens[max(start - LONGEST_MEMBER, 0) : start]}
        return bool((words.PREPOSITIONS | {"were", "are"}) & member or {"—", ":"} & {*self.tokens[:start]})

    def _equated(self, start: int) -> bool:
        """Whether a list says which the things are: of `the owners are Lee, Park and Kim` nobody may be missing."""
        phrase = self.tokens[max(start - LONGEST_MEMBER, 0) : start]
        at = next((i for i, t in enumerate(phrase) if t in ("are", "were")), len(phrase))
        told = (
            at + 1 < len(phrase) and not is_past(phrase[at + 1]) and phrase[at + 1] not in words.PREPOSITIONS
        )
        return told and self.tokens[0] == "the" and not words.RELATIVES & {*phrase}

    def _restricting(self, verb: str, start: int) -> bool:
        """Whether a verb is the second that restricts what a rule is about: `drivers who are young and ...`."""
        opener = max((i for i in range(start) if self.tokens[i] in ("who", "that", "which")), default=0)
        restricts = opener and not {*PUNCTUATION} & {*self.tokens[opener - 1 : start]}
        return bool(restricts) and verb in words.FINITE and not self.happened

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
        state = self.tokens[start - 2] in words.BE_PAST and not is_past(self.tokens[start - 1])
        if state:
            return False  # "was open to walkers"
        if self.loose:
            return True
        plain = not (words.HEDGES | words.NEGATIONS | words.QUANTITIES | {"from"}) & set(self.claim)
        verb = len(gap) > 1 and gap[1].isalpha() and gap[1] not in words.ARTICLES
        return plain and verb and not words.COPULAS & {*self.tokens[max(start - 3, 0) : start]}

    def _modifier(self, gap: Sequence[str], start: int) -> bool:
        """What is told of a noun with "a" or "an": who is a poet from Oslo, or a poet who sings, is a poet."""
        if words.CONDITIONS & {*self.claim}:
            return False
        phrase = self.tokens[max(start - LONGEST_NOUN, 0) : start]
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

    def _wider_place(self, gap: Sequence[str], start: int) -> bool:
        """What a place lies in: `, Oregon` behind `in Salem`."""
        if not 0 < len(gap) <= LONGEST_PLACE or (
            words.GUARDS | words.PREPOSITIONS | CLAUSAL | PUNCTUATION
        ) & {*gap}:
            return False
        before = self.tokens[max(start - LONGEST_PLACE, 0) : start]
        placed = {"in", "at", "near"} & {*before} and not ("," in before or "and" in before)
        named = all(t.isalpha() and not is_past(t) and not t.endswith("ing") for t in gap)
        return bool(placed) and named and not {"and", "or"} & {*gap}

    def _rest_of_list(self, gap: Sequence[str], start: int) -> bool:
        """Whether `b, and c` is left of a list of which the claim names the first members."""
        if "or" in gap or words.GUARDS & set(gap) or self.summed:
            return False
        if self._equated(start) or ("and" in gap and self._counted_over(gap, start)):
            return False
        commas = [i for i, t in enumerate(gap) if t == ","]
        if commas and commas[-1] + 1 < len(gap) and gap[commas[-1] + 1] == "and":
            return True
        return gap.count("and") == 1 and not (CLAUSAL & set(gap) or any(is_past(t) for t in gap))

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
        if self.summed or (before in words.PREPOSITIONS and not self.plain):
            return False  # "3 towns in France and Italy" are not 3 in Italy
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
        if words.COLLECTIVES & {*self.tokens[max(start - LONGEST_MEMBER, 0) : start]}:
            return False
        opens = is_past(before) or before in words.COPULAS | words.PREPOSITIONS | {"include", "includes"}
        return (opens or (parallel and before.endswith("s"))) and gap[-1] in (",", "and")

    def _bracketed(self, gap: Sequence[str], end: int) -> bool:
        """A parenthesis, or a unit between commas."""
        inside = set(gap)
        if gap[0] == "(" and gap[-1] == ")":
            return not (self._limited(gap) or (words.CONDITIONS | words.NEGATIONS) & inside)
        if [t for t in gap if t not in PUNCTUATION] in (["who"], ["which"]):
            return gap[0] == ","
        if gap[0] == "," and next((t for t in gap[1:] if t not in words.ADVERBS | {"often"}), "") in _NAMINGS:
            return gap[-1] == ","
        behind = self.tokens[end] if end < len(self.tokens) else ""
        if gap[0] == "," and self._limited(gap):
            return False
        named = gap[1:2] == ["formerly"]
        if gap[0] == "," and (
            self.summed or self._equated(end - len(gap)) or (behind in _OF_NOUN and not named)
        ):
            return (
                False  # "Lund, the chairman of Norvik, a shipping company, ...": what is left belongs to it
            )
        guarded = words.CONDITIONS | words.HEDGES | words.ATTRIBUTIONS | words.NEGATIONS | IN_CASES
        if any(is_past(t) for t in gap) and self.loose:
            guarded -= {"where", "when"}
        if gap[1:2] and gap[1] in words.HEDGES and len(gap) > _HEDGED_ASIDE:
            return gap[0] == "," == gap[-1] and not (guarded & {*gap[2:]} or ";" in gap)
        return gap[0] == "," and gap[-1] == "," and len(gap) > 1 and not guarded & inside and ";" not in gap

    def _limited(self, gap: Sequence[str]) -> bool:
        """Whether an aside tells where, when or for whom alone something holds, or another figure."""
        opening = gap[1] if len(gap) > 1 else ""
        if opening == "or":
            return any(t[0].isdigit() for t in gap)
        dated = self.dated and time_end(gap, 2) + 1 >= len(gap)
        return opening == "so" or (opening in _NARROWING and not self.loose and not dated)

    def _phrase(self, gap: Sequence[str], *, at_end: bool = False, end: int = 0) -> bool:
        """Adverbs, or where and when of something that happened."""
        if all(t in words.ADVERBS or t == "as" for t in gap):
            return gap[0] != "too" and (self.happened or not words.MANNER & set(gap))
        if self.dated and gap[0] in LEFT_OUT and time_end(gap, 1) == len(gap):
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
        torn = at_end and gap[0] in ("for", "as") and self.claim[-1] in _LITTLE_ALONE  # "mistaken for a spy"
        if torn or not self.loose or not (gap[0] in words.PLACING or role) or words.GUARDS & set(gap):
            return False
        if gap[0] == "to" and (
            gap[1:2] in (["have"], ["be"]) or not gap[1:] or ({"closed"} | words.AIMED) & {*self.claim}
        ):
            return False  # "was to have been built", "was closed to lorries", "hoped to study"
        if at_end:
            state = self.claim[-2:-1] and self.claim[-2] in words.BE_PAST and not is_past(self.claim[-1])
            return ";" not in gap and not state  # "was blind in one eye"
        clauses = words.CLAUSE_OPENERS - {"and"} | words.RELATIVES | {";", "that"}
        verbs = any(is_past(t) or t in words.COPULAS for t in gap)
        pairs = pairwise(gap)  # "as minister until 1931 and as judge"
        parallel = any(a == "and" and b in words.PREPOSITIONS | {"as"} for a, b in pairs)
        behind = self.tokens[end]
        # "chairman from 1990 and president from 1996"
        parallel = parallel or (time_end(gap, 1) > 1 and "and" in gap[:-1] and behind == gap[0])
        closed = self._begins_unit(end) or is_past(behind) or behind.endswith(("ly", "ing")) or behind == "to"
        closed = closed or end == 0 or behind in words.FINITE | words.ADVERBS | words.ARTICLES | words.PLACING
        return not clauses & set(gap) and not verbs and not parallel and (closed or not role)

    def _one_of_two(self, gap: Sequence[str], start: int, end: int) -> bool:
        """`glass and` before `wood`, or `and wood` behind `glass`: what holds of two things holds of each.

        Not where they are counted, ranked, denied or taken together, and not where the words left out hold a verb.
        """
        first, second = gap[-1] == "and", gap[0] == "and"
        members = [t for t in gap if t != "and"]
        if first == second or not 0 < len(members) <= LONGEST_MEMBER or not self.plain:
            return False
        if "of" in self.tokens[max(start - LONGEST_AMOUNT, 0) : start]:
            return False  # the team of two is not the team of one
        clause = {*self.tokens[clause_start(self.tokens, start) : end]}
        apart = (
            words.NEGATIONS | words.CONDITIONS | words.SUPERLATIVES | words.COLLECTIVES | {"or", "than"}
        ) & clause
        other = words.GUARDS | words.RELATIVES | words.PREPOSITIONS | CLAUSAL | PUNCTUATION | {"to", "of"}
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
        amount = 0 < len(spoken) <= LONGEST_AMOUNT and spoken[0][0].isdigit()
        return (
            bool(changed) and amount and self.tokens[end] in ("to", "from") and not words.GUARDS & {*spoken}
        )
