"""The words that decide whether one English sentence may follow from another, and those that may replace each other.

A word that guards (a negation, condition, hedge, quantity or attribution) may be neither added nor left out. Words
that may replace each other are listed in the exact form in which they do, so that a rewrite never changes the tense.
"""

from __future__ import annotations

from rag.text.patterns import lazy_compile


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


ARTICLES = word_set("a an the")
NEGATIONS = word_set(
    "not no never nor none neither nobody nothing nowhere without hardly barely scarcely seldom rarely failed fails"
    " refused refuses lacked lacks denied denies"
)
FORBIDDING = word_set(
    "banned forbade forbidden prohibited prevented avoided doubted disputed exempt exempted excluded opposed limited"
)
"""Verbs of which less is said when more is said of their object: cars banned from a street are not banned."""
EXCEPTIONS = word_set(
    "if unless provided providing except excluding otherwise assuming whether subject besides barring pending"
)
"""Conditions that hold of all that is said before them."""
CONDITIONS = EXCEPTIONS | word_set("only until till when whenever where wherever once than")
MODALS = word_set("can could may might must shall should will would")
AIMED = word_set("planned intended proposed proposes tried attempted hoped wanted threatened promised")
"""Hedges of what is aimed at: the aim itself was had at some time and place, and a report of it may lose them."""
APPROXIMATORS = word_set("about approximately nearly almost")
"""Hedges of a figure alone, which say nothing of when it was so."""
HEDGES = (
    MODALS
    | AIMED
    | APPROXIMATORS
    | word_set(
        "perhaps possibly probably likely unlikely apparently allegedly reportedly supposedly seemingly presumably"
        " estimated estimates expected expects plans intends generally usually often sometimes typically mainly"
        " mostly partly partially largely seems seemed appears appeared"
    )
)
QUANTITIES = word_set(
    "all every each both any some most many few several half majority minority least up more less fewer"
    " exactly least entire entirely whole total always everyone everybody much little"
)
ATTRIBUTIONS = word_set(
    "said says say according claimed claims claim reported reports argued argues believes believed believe thought"
    " thinks suggested suggests announced stated states found finds told asked alleged alleges quipped joked wrote"
    " assured assumed assumes considered considers predicted predicts warned warns concluded maintains insisted"
    " described describes called calls view opinion wished wishes imagined dreamed dreamt pretended feared feigned"
)
GUARDS = NEGATIONS | CONDITIONS | HEDGES | QUANTITIES | ATTRIBUTIONS
SUPERLATIVES = word_set(
    "first last only best worst largest smallest highest lowest least most sole final latest"
)
CONNECTIVES = word_set(
    "however moreover furthermore thus therefore also additionally meanwhile consequently nevertheless nonetheless"
    " similarly likewise then but and so hence instead accordingly indeed"
)
ADVERBS = word_set(
    "also subsequently later soon promptly quickly officially currently thereby thus however then now too famously"
    " eventually finally immediately formally publicly personally gradually again still already simultaneously"
    " successfully previously originally initially"
)
"""Adverbs that a sentence may lose without becoming false."""
MANNER = word_set(
    "promptly quickly officially formally publicly personally gradually simultaneously successfully"
    " previously originally initially"
)
"""Those of them that tell how something is done: a rule may depend on it, a report of what was done does not."""
PREPOSITIONS = word_set(
    "in on at by with for from to during near into onto within across through along alongside around beside against"
    " between among of after before since under over towards toward until via"
)
PLACING = word_set(
    "in on at by with for from to during near into onto within across through along beside alongside against after"
    " under over upon following"
)
"""Prepositions whose phrase a report of something that happened may lose."""
SUBORDINATORS = word_set(
    "because although though despite whereas while since as when if unless where after before once"
)
RELATIVES = word_set("which who whose whom where when")
CLAUSE_OPENERS = word_set("and but while whereas although though because yet so followed")
COPULAS = word_set("is are was were")
BE_PAST = word_set("was were")
FINITE = COPULAS | MODALS | {"has", "have"}
"""Verbs whose form tells that a subject is before them."""
TAKING_TO = word_set(
    "agreed began started continued decided forced allowed ordered helped able unable forbidden encouraged required"
    " needed used had going about due likely ready free chose managed threatened sought aimed vowed offered prepared"
    " ceased tended happened proved came"
)
"""Words that say little without the infinitive behind them."""
LABELS = word_set(
    "route interstate highway section article chapter part figure table page line phase act channel volume item note"
    " version model type class flight room form"
)
"""Nouns whose number is a name and measures nothing."""
COLLECTIVES = word_set(
    "both between together respectively combined jointly consist consists consisted comprise comprises comprised"
    " composed total totalling sum mixture combination combine combines merger merged join joins joined mix mixes"
    " coalition alliance union each other separate separates differ differs equal equals same compare compared"
    " comparison shared share shares met meet married equally"
)
"""Words by which members of a list are taken together, so that one of them does not do for all."""
ERGATIVES = word_set("opened closed started ended moved merged")
"""Verbs whose passive says what the active without an object says: `the bridge was opened`, `the bridge opened`."""

PAST = word_set(
    "was were had did became began broke brought built bought came chose cut dealt drew drove fell felt fought found"
    " gave got grew held hit hurt kept knew laid led left lent lost made meant met paid put ran read rose said sank"
    " saw sent set shot slept sold spent spoke spread stood struck swept taught thought threw took told went won"
    " wore wrote"
    " sprang arose died closed sang swam rang drank hid bit tore flew fled woke froze shook bore swore"
)
PARTICIPLES = {
    "written": "wrote", "taken": "took", "given": "gave", "begun": "began", "drawn": "drew", "chosen": "chose",
    "known": "knew", "seen": "saw", "done": "did", "driven": "drove", "fallen": "fell", "grown": "grew",
    "shown": "showed", "spoken": "spoke", "stolen": "stole", "struck": "struck", "sung": "sang", "sunk": "sank",
    "thrown": "threw", "worn": "wore", "broken": "broke", "built": "built", "bought": "bought", "brought": "brought",
    "found": "found", "held": "held", "hit": "hit", "kept": "kept", "laid": "laid", "led": "led", "left": "left",
    "lost": "lost", "made": "made", "met": "met", "paid": "paid", "put": "put", "read": "read", "sent": "sent",
    "set": "set", "shot": "shot", "sold": "sold", "spent": "spent", "taught": "taught", "told": "told", "won": "won",
    "cut": "cut", "beaten": "beat", "eaten": "ate", "overthrown": "overthrew", "forbidden": "forbade",
    "born": "bore", "hidden": "hid", "torn": "tore", "frozen": "froze", "ridden": "rode", "forgotten": "forgot",
    "shaken": "shook", "bitten": "bit", "sworn": "swore", "woven": "wove",
    "undertaken": "undertook", "fought": "fought", "caught": "caught", "understood": "understood",
}  # fmt: skip
"""Irregular participles with the past tense that says the same in the active voice."""
BASES = {
    "become": "became", "begin": "began", "break": "broke", "bring": "brought", "build": "built",
    "buy": "bought", "catch": "caught", "choose": "chose", "come": "came", "deal": "dealt", "do": "did",
    "draw": "drew", "drive": "drove", "eat": "ate", "fall": "fell", "feel": "felt", "fight": "fought",
    "find": "found", "get": "got", "give": "gave", "go": "went", "grow": "grew", "hold": "held", "keep": "kept",
    "know": "knew", "lay": "laid", "lead": "led", "leave": "left", "lend": "lent", "lose": "lost",
    "make": "made", "mean": "meant", "meet": "met", "pay": "paid", "rise": "rose", "run": "ran", "say": "said",
    "see": "saw", "sell": "sold", "send": "sent", "sink": "sank", "speak": "spoke", "spend": "spent",
    "stand": "stood", "strike": "struck", "sweep": "swept", "take": "took", "teach": "taught", "tell": "told",
    "think": "thought", "throw": "threw", "wear": "wore", "win": "won", "write": "wrote",
}  # fmt: skip
"""Irregular verbs with their past tense."""
NOT_PAST = word_set("need seed feed breed speed indeed hundred shed bed red embed exceed proceed succeed")

_SAME = (
    "started began commenced", "starts begins commences", "founded established", "located situated",
    "purchased bought", "obtained acquired", "constructed built", "erected built", "ended finished concluded",
    "received got", "film movie", "fell decreased declined dropped", "rose increased grew",
    "falls decreases declines",
    "rises increases grows", "fallen decreased declined dropped", "frequently often", "approximately about",
    "people persons", "whereas while", "although though", "responsible answerable liable", "employed used",
    "helped assisted", "demonstrated showed", "shown demonstrated", "permitted allowed", "forbidden prohibited",
    "prohibited banned", "annual yearly", "annually yearly", "required needed", "requires needs", "children kids",
    "near close", "wrote authored", "named called", "largest biggest", "smallest littlest", "main principal",
    "chiefly mainly", "mostly mainly", "roughly about", "around about", "circa about", "probably likely",
    "accepted taken", "expected due", "replaced superseded", "selected chosen", "selected chose", "picked chose",
    "resided lived", "resides lives", "died perished", "them they", "him he", "injured hurt", "world global",
)  # fmt: skip
SYNONYMS: frozenset[frozenset[str]] = frozenset(
    frozenset((a, b)) for group in _SAME for a in group.split() for b in group.split() if a != b
)

PHRASES = (
    (lazy_compile(r"\b(?:per\s?cent|percent)\b"), "%"),
    (lazy_compile(r"\b(can)not\b"), r"\1 not"),
    (lazy_compile(r"\bwon['’]t\b"), "will not"),
    (lazy_compile(r"\bcan['’]t\b"), "can not"),
    (lazy_compile(r"n['’]t\b"), " not"),
    (lazy_compile(r"\b(?:has|have) to\b"), "must"),
    (lazy_compile(r"\bat most (?=\d|[a-z]+ (?:hour|day|year|week|month|item))"), "up to "),
    (lazy_compile(r"\b(?:more than|over|in excess of) (?=[$€£¥₩]?\s?\d)"), "more than "),
    (lazy_compile(r"\b(?:less than|fewer than|under|below) (?=[$€£¥₩]?\s?\d)"), "less than "),
    (lazy_compile(r"\b(?:around|roughly|approximately|circa|some) (?=[$€£¥₩]?\s?\d)"), "about "),
    (lazy_compile(r"\b(?:other than|with the exception of)\b"), "except"),
    (
        lazy_compile(r"\b(?:on condition|in ?so ?far as|to the extent|on the understanding|in the event)\b"),
        "if",
    ),
    (lazy_compile(r"\b(?:the|a) majority of(?: the)?\b"), "most"),
    (lazy_compile(r"\bmost of the\b"), "most"),
    (lazy_compile(r"\bat once\b"), "immediately"),
    (lazy_compile(r"\bprior to\b"), "before"),
    (lazy_compile(r"\bin order to\b"), "to"),
    (lazy_compile(r"\bas well as\b"), "and"),
    (lazy_compile(r"\bdue to\b"), "because of"),
    (lazy_compile(r"\bin the united states\b(?: of america)?"), "in the us"),
    (lazy_compile(r"\bu\.s\.(?:a\.)?"), "us"),
    (lazy_compile(r"\bwe\b"), "the company"),
    (lazy_compile(r"\bour\b"), "the company 's"),
)
"""Ways to write one thing, put into one form: (pattern over folded text, replacement)."""
