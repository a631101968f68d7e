"""One line that says what a table is: for the pieces of it that do not begin with its headers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.types import Table

_LONGEST_TITLE = 140
_LONGEST = 320
"""Characters of the line at most: it is embedded with every piece, beside the rows themselves."""
_HANGUL = re.compile("[가-힣]")


def table_headers(table: Table, groups: Sequence[str] = ()) -> str:
    """`Table: title (unit) | columns | group of the first row`."""
    columns = list(dict.fromkeys(" ".join(path) for path in table.columns if path))
    title = table.title[-_LONGEST_TITLE:]
    unit = f" ({table.unit})" if table.unit and table.unit not in title else ""
    parts = [f"{title}{unit}".strip(), " · ".join(columns), " > ".join(groups)]
    line = " | ".join(part for part in parts if part)
    label = "표" if _HANGUL.search(line) else "Table"
    return f"{label}: {line}"[:_LONGEST] if line else ""
