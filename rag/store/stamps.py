"""Which generations a keyword index holds: a small file beside Tantivy's own.

Tantivy numbers its commits (`opstamp` in meta.json) and renames meta.json into place as the last step of one. The
stamp of the coming commit is written before it, under the number that it will have, beside the stamp of the commit
that is there: whichever of the two a reader or a kill meets, its stamp is known.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from rag.errors import IndexDamaged
from rag.store.vectors import Stamp, sync_folder

FILE = "stamp.json"
MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class KeywordStamp:
    """What was committed, and the tokeniser that made the tokens."""

    stamp: Stamp
    tokeniser: str


def committed(folder: Path) -> int:
    """The number of the commit that is in place. Raises OSError and IndexDamaged."""
    try:
        with (folder / "meta.json").open("rb") as file:
            number = json.load(file)["opstamp"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IndexDamaged(f"its meta.json cannot be read ({error})") from error
    if type(number) is not int:
        raise IndexDamaged("its meta.json holds no commit number")
    return number


def read(folder: Path, number: int) -> KeywordStamp:
    """The stamp of a commit. Raises IndexDamaged when there is none."""
    try:
        fields = _all(folder)[str(number)]
        stamp = Stamp(str(fields["instance"]), _number(fields["base"]), _number(fields["generation"]))
        return KeywordStamp(stamp, str(fields["tokeniser"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise IndexDamaged("it does not say which generation it holds") from error


def announce(folder: Path, number: int, stamp: KeywordStamp) -> None:
    """Write the stamp of the commit that will have this number, keeping that of the one in place."""
    kept = {}
    try:
        now = str(committed(folder))
        kept = {now: _all(folder)[now]}
    except (OSError, ValueError, KeyError, TypeError, IndexDamaged):
        kept = {}
    kept[str(number)] = asdict(stamp.stamp) | {"tokeniser": stamp.tokeniser}
    beside = folder / f"{FILE}.{os.getpid()}.tmp"
    beside.unlink(missing_ok=True)
    with beside.open("x", encoding="utf-8") as file:
        json.dump(kept, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, folder / FILE)
    sync_folder(folder)


def _all(folder: Path) -> dict[str, dict[str, object]]:
    with (folder / FILE).open("rb") as file:
        found: dict[str, dict[str, object]] = json.loads(file.read(MAX_BYTES))
    return found


def _number(value: object) -> int:
    if type(value) is not int:
        raise ValueError("not a number")
    return value
