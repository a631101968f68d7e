"""One list of passages from several searches made for the same question.

Scores are fused, as within one search (see scoring.py): each list is divided by its best. For other wordings
of one need the best opinion is added to that of the question itself, so that one good wording is enough and several
that went astray count no more than one. Lists for different parts of a question are not added up, since a page that
answers one part need not speak of the other: there the best score counts. docs/retrieval.md compares both with
reciprocal rank fusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.types import Passage

Found = Sequence[Passage]
"""The passages of one search, best first."""


def merge(needs: Sequence[Sequence[Found]]) -> dict[int, float]:
    """Scores from 0 to 1 by chunk id, best first; ties in the order in which the chunks were first found.

    needs: for each thing that is asked for its searches, the original wording first.
    """
    scores: dict[int, float] = {}
    for searches in needs:
        for chunk, score in _of_need(searches).items():
            scores[chunk] = max(score, scores.get(chunk, 0.0))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _of_need(searches: Sequence[Found]) -> dict[int, float]:
    """The original's scores, each with the best that another wording gives, divided by the best."""
    original, *others = [_scaled(found) for found in searches]
    best: dict[int, float] = {}
    for other in others:
        for chunk, score in other.items():
            best[chunk] = max(score, best.get(chunk, 0.0))
    return _by_best({c: original.get(c, 0.0) + best.get(c, 0.0) for c in dict.fromkeys((*original, *best))})


def _scaled(found: Found) -> dict[int, float]:
    """Scores divided by the best, never rising down the list: near-duplicates stay behind where they were put."""
    scores: dict[int, float] = {}
    lowest = float("inf")
    for passage in found:
        lowest = min(lowest, max(passage.score, 0.0))
        scores.setdefault(passage.chunk_id, lowest)
    return _by_best(scores)


def _by_best(scores: Mapping[int, float]) -> dict[int, float]:
    best = max(scores.values(), default=0.0)
    return {chunk: score / best if best > 0 else 0.0 for chunk, score in scores.items()}
