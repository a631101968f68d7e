"""Keeping near-duplicate passages from crowding out others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAME = 0.985
"""Cosine from which two chunks say the same: reprinted paragraphs and tables measure above it, different
paragraphs on one subject below."""


def without_near_duplicates(
    order: Sequence[int], vectors: NDArray[np.float32], same: float = SAME
) -> list[int]:
    """`order` with every near-duplicate of an earlier item moved to the end, keeping the order otherwise.

    order: positions into `vectors`, best first. vectors: unit vectors, shape [n, d]. Nothing is dropped: whoever
    asks for more passages still gets them.
    """
    kept: list[int] = []
    repeated: list[int] = []
    for position in order:
        near = kept and float((vectors[kept] @ vectors[position]).max()) >= same
        (repeated if near else kept).append(position)
    return kept + repeated
