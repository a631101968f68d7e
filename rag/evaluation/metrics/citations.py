"""Citation metrics: do the quotes stand on the pages that hold the answer, and were they proven?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rag.evaluation.metrics.retrieval import GoldPage, same_file
from rag.types import Citation, QuoteStatus, Sentence, Support


def on_gold(citation: Citation, gold: Collection[GoldPage]) -> bool:
    """Whether the quote stands on a page that holds the answer."""
    return any(citation.page == page.page and same_file(citation.file, page.file) for page in gold)


def precision(citations: Sequence[Citation], gold: Collection[GoldPage]) -> float | None:
    """The share of the citations that lie on a gold page; None without any citation."""
    return sum(on_gold(c, gold) for c in citations) / len(citations) if citations else None


def recall(citations: Sequence[Citation], gold: Collection[GoldPage]) -> float:
    """The share of the gold pages that are cited."""
    pages = set(gold)
    return sum(any(on_gold(c, [page]) for c in citations) for page in pages) / len(pages)


def first_on_gold(citations: Sequence[Citation], gold: Collection[GoldPage]) -> float:
    """1 when the first citation lies on a gold page."""
    return float(bool(citations) and on_gold(citations[0], gold))


def proven(citations: Sequence[Citation]) -> tuple[int, int]:
    """How many quotes were found in the documents, out of how many."""
    return sum(c.verified for c in citations), len(citations)


def corrected(citations: Sequence[Citation]) -> tuple[int, int]:
    """How many quotes were found on another page than the model claimed, out of how many."""
    return sum(c.status is QuoteStatus.MOVED for c in citations), len(citations)


def verified(sentences: Sequence[Sentence]) -> tuple[int, int]:
    """How many sentences rest on proven quotes, out of how many."""
    return sum(s.support is Support.VERIFIED for s in sentences), len(sentences)
