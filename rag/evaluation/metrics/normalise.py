"""Answer normalisation as the official scorers of SQuAD and KorQuAD define it.

SQuAD: Rajpurkar et al. (2016), evaluate-v1.1. KorQuAD: Lim, Kim and Lee (2019), evaluate-v1.0. Both are kept
to the letter, ASCII punctuation only and all, so that figures can be compared with published ones.
"""

from __future__ import annotations

import re
import string
import unicodedata

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_KORQUAD_MARKS = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))
_SPACE = re.compile(r"\s+")


def squad(text: str) -> str:
    """Lower case, no ASCII punctuation, no English articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def korquad(text: str) -> str:
    """Quotation marks and brackets become spaces, then lower case, no ASCII punctuation, single spaces."""
    return " ".join(text.translate(_KORQUAD_MARKS).lower().translate(_PUNCTUATION).split())


def fold(text: str) -> str:
    """Compatibility forms composed (NFKC), white space removed, lower case: for "stands in the answer"."""
    return _SPACE.sub("", unicodedata.normalize("NFKC", text)).lower()
