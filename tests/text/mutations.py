"""What happens to quotes: noise that changes nothing, and alterations that change what is said.

Each generator takes a true quote and yields (name of the change, changed quote).
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator

HANGUL = re.compile("[가-힣]")
NEGATIONS = [
    (r"\b(is|are|was|were|has|have|will|would|can|may|must|do|does|did)\b", r"\1 not"),
    (r"\b(?:not|no|never) ", ""),
    ("있다", "없다"),
    ("없", "있"),
    ("이다", "이 아니다"),
    ("하였다", "하지 않았다"),
    ("했다", "하지 않았다"),
    ("한다", "하지 않는다"),
    ("합니다", "하지 않습니다"),
    ("됩니다", "되지 않습니다"),
    ("않", ""),
]
FIGURES = [
    (r"(\d)\.(\d)", r"\1\2"),
    (r"(?<=\s)(\d)", r"-\1"),
    (r"%", ""),
    (r"[$£€]", "¥"),
    (r"million", "billion"),
]


def is_korean(text: str) -> bool:
    return len(HANGUL.findall(text)) * 5 > len(text)


def noise(quote: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """The same quote as other software would write it."""
    yield "line breaks", re.sub(r"\s+", lambda m: "\n" if rng.random() < 0.4 else m[0], quote)
    yield "doubled spaces", re.sub(r"\s+", "  ", quote)
    yield "tabs", re.sub(r"\s+", "\t", quote)
    yield "no-break spaces", re.sub(r"\s+", "\u00a0", quote)
    yield "ligatures", quote.replace("ffi", "ﬃ").replace("fi", "ﬁ").replace("fl", "ﬂ")
    yield "quotation marks", re.sub('["“”]', lambda _: rng.choice('"“”'), re.sub("['’‘]", "’", quote))
    yield "full width", "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in quote)
    yield "zero width", "".join(c + ("\u200b" if rng.random() < 0.1 else "") for c in quote)
    yield "decomposed", unicodedata.normalize("NFD", quote)
    places = [i for m in re.finditer("[A-Za-z]{5,}", quote) for i in range(m.start() + 2, m.end() - 1)]
    if places:
        at = rng.choice(places)
        yield "hyphen and line break", quote[:at] + "-\n" + quote[at:]
        yield "soft hyphen", quote[:at] + "\u00ad" + quote[at:]
    inside = [m.start() for m in re.finditer("(?<=[가-힣])[가-힣]", quote)]
    if inside:
        at = rng.choice(inside)
        yield "line break in a Korean word", quote[:at] + "\n" + quote[at:]
        yield "space in a Korean word", quote[:at] + " " + quote[at:]
        yield "Korean without spaces", re.sub("(?<=[가-힣]) (?=[가-힣])", "", quote)


def alterations(quote: str, other_words: list[str], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Quotes that say something else."""
    digits = [m.start() for m in re.finditer(r"\d", quote)]
    if digits:
        at = rng.choice(digits)
        yield (
            "digit changed",
            quote[:at] + rng.choice([d for d in "0123456789" if d != quote[at]]) + quote[at + 1 :],
        )
        yield "digit added", quote[:at] + rng.choice("123456789") + quote[at:]
    words = quote.split()
    if len(words) >= 5:
        at = rng.randrange(1, len(words) - 1)
        yield "word dropped", " ".join(words[:at] + words[at + 1 :])
        yield "word put in", " ".join([*words[:at], rng.choice(other_words), *words[at:]])
        yield "word swapped", " ".join([*words[:at], rng.choice(other_words), *words[at + 1 :]])
        yield "order", " ".join([*words[: at - 1], words[at], words[at - 1], *words[at + 1 :]])
    for pattern, replacement in NEGATIONS:
        yield f"negation {pattern}", re.sub(pattern, replacement, quote, count=1)
    for pattern, replacement in FIGURES:
        yield f"figure {pattern}", re.sub(pattern, replacement, quote, count=1)


def bare(text: str) -> str:
    """Without anything that layout can change: what two texts share when one is merely laid out again."""
    return re.sub(r"[\s\u00ad\ufffe-]+", "", unicodedata.normalize("NFC", text))
