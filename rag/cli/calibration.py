"""The threshold for declining, fitted to an index: how it is found, kept and read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rag.cli.keeping import keep, kept

_FILE = "calibration.json"
_FORMAT = 1
_STEP = 1e-4  # the last digit that is kept of a threshold


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold with what it was fitted on. Scores and shares are from 0 to 1."""

    threshold: float
    rate: float
    """The share of false answers that was asked for."""
    questions: int
    false_answers: int
    """Questions whose document was left out that would be answered all the same."""
    answered: int
    """Questions that would be answered with their document there."""
    embeddings: str
    """Identity of the weights that the scores come from."""


def fit(held: Sequence[float], left_out: Sequence[float], rate: float, embeddings: str) -> Calibration:
    """The lowest threshold at which at most `rate` of the scores `left_out` would be answered.

    `held` are the evidence scores of the same questions with their document there. Empirical quantile: with n
    questions the rate is kept to within about 1/n. Raises ValueError when there are no scores.
    """
    if not left_out:
        raise ValueError("a threshold needs scores")
    allowed = math.floor(rate * len(left_out))
    highest = sorted(left_out, reverse=True)
    threshold = 0.0
    if allowed < len(highest):
        threshold = min(1.0, math.floor(highest[allowed] / _STEP) * _STEP + _STEP)
    return Calibration(
        threshold=round(threshold, 4),
        rate=rate,
        questions=len(left_out),
        false_answers=sum(score >= threshold for score in left_out),
        answered=sum(score >= threshold for score in held),
        embeddings=embeddings,
    )


def keep_calibration(index: str, calibration: Calibration) -> bool:
    """Keep it for the index; False when no folder for it can be written."""
    return keep(index, _FILE, {"format": _FORMAT, **asdict(calibration)}) is not None


def kept_calibration(index: str) -> Calibration | None:
    """What was kept for the index; None when there is nothing, or it cannot be read."""
    from pydantic import TypeAdapter, ValidationError

    form = kept(index, _FILE)
    if not isinstance(form, dict) or form.pop("format", None) != _FORMAT:
        return None
    try:
        found = TypeAdapter(Calibration).validate_python(form)
    except ValidationError:
        return None
    return found if 0 <= found.threshold <= 1 else None
