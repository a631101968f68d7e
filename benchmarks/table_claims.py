"""How many true and false claims about real table cells are verified.

Each claim is a sentence made from a cell of a table in the index, with its row quoted. A false one changes one thing:
the row, the period, the sign or the unit. Prints one JSON line with the shares, and one for each change.

    python benchmarks/table_claims.py INDEX --claims 2000
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rag.answering.markers import Quote
from rag.answering.reply import Draft, DraftSentence
from rag.answering.verification import check_draft
from rag.store import Index, open_index
from rag.text.figures import as_printed, scale_of, value_of, years_in
from rag.types import Cell, Passage, Row, Span, Support, Table

TEMPLATES = (
    "{item} was {value} in {year}.",
    "In {year}, {item} amounted to {value}.",
    "The company reported {item} of {value} for {year}.",
    "For fiscal {year}, {item} came to {value}.",
    "{year} {item}: {value}",
    "{item} in {year} stood at {value}.",
)
_OUTGOING = re.compile(
    r"loss|expens|cost|charge|less|paid|payment|decrease|deduct|used|accumulated|amorti|purchase|writ|tax",
    re.IGNORECASE,
)
CHANGES = ("row", "period", "sign", "unit")
SCALES = {1: "million", 10**3: "million", 10**6: "billion", 10**9: "million"}
"""By the scale that a table states, one that is false for it."""


@dataclass(frozen=True)
class Place:
    """A cell of a page in the index."""

    file: str
    table: Table
    row: Row
    cell: Cell
    year: str


def cells_of(index: Index) -> Iterator[Place]:
    """The cells with one year in their column, a label and a number other than 0."""
    for source in index.documents():
        for page in index.pages(source.file):
            for table in index.tables(source.file, page.number):
                for row in table.rows:
                    for cell in row.cells:
                        years = years_in(" ".join(table.columns[cell.column]))
                        if (
                            len(years) == 1
                            and len(row.label) > 3
                            and value_of(cell.text)
                            and not years_in(row.label)
                        ):
                            yield Place(source.file, table, row, cell, years[0])


def claim(place: Place, template: str, change: str, chance: random.Random) -> str | None:
    """The sentence; None when the table has nothing to change it with."""
    item, year, value = place.row.label, place.year, as_printed(place.cell.text)
    if change == "row":
        same = {cell.text for cell in place.row.cells}
        others = [
            r.label for r in place.table.rows if len(r.label) > 3 and not {c.text for c in r.cells} & same
        ]
        others = [label for label in others if label.casefold() != item.casefold()]
        if not others:
            return None
        item = chance.choice(others)
    elif change == "period":
        others = [
            years_in(" ".join(place.table.columns[c.column]))[0]
            for c in place.row.cells
            if c.text != place.cell.text and len(years_in(" ".join(place.table.columns[c.column]))) == 1
        ]
        if not [year for year in others if year != place.year]:
            return None
        year = chance.choice([year for year in others if year != place.year])
    elif change == "sign":
        number = value_of(place.cell.text) or 0
        if number < 0 and _OUTGOING.search(item):  # an expense of (598) is rightly told as 598
            return None
        value = re.sub(r"[()−–-]", "", value) if number < 0 else f"-{value}"
    elif change == "unit":
        if "%" in value:
            value = "$" + value.replace("%", "")
        elif scale_of(place.table.unit) == 1:
            value = f"{value.strip('$€£()')}%"
        else:
            value = f"{value} {SCALES.get(scale_of(place.table.unit), 'million')}"
    return template.format(
        item=item[0].lower() + item[1:] if template[0] != "{" else item, year=year, value=value
    )


def verified(index: Index, place: Place, sentence: str) -> bool:
    """Whether the sentence is verified when it quotes the row."""
    page = index.page(place.file, place.table.page)
    assert page is not None
    passage = Passage(
        1, place.file, page.number, page.number, page.text, (Span(page.number, 0, len(page.text)),)
    )
    quote = Quote(page.text[place.row.start : place.row.end], 1)
    draft = Draft((DraftSentence(sentence, (1,), (quote,)),))
    proof = check_draft(draft, [passage], index, tables=index)
    return proof.sentences[0].support is Support.VERIFIED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index")
    parser.add_argument("--claims", type=int, default=2000, help="true ones, and as many false ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="print so many claims that were judged wrongly")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    counts: Counter[tuple[str, bool]] = Counter()
    with open_index(options.index) as index:
        places = list(cells_of(index))
        for number in range(2 * options.claims):
            place, template = chance.choice(places), chance.choice(TEMPLATES)
            change = "none" if number % 2 == 0 else chance.choice(CHANGES)
            sentence = claim(place, template, change, chance)
            if sentence is None:
                continue
            found = verified(index, place, sentence)
            counts[change, found] += 1
            if found == (change != "none") and options.show > 0:
                options.show -= 1
                print(f"{change}: {sentence}\n    {place.row.path} {place.table.columns} {place.cell.text}")
    for change in ("none", *CHANGES):
        total = counts[change, True] + counts[change, False]
        print(
            json.dumps(
                {
                    "change": change,
                    "claims": total,
                    "verified": round(counts[change, True] / max(1, total), 4),
                }
            )
        )
    false = sum(count for (change, _), count in counts.items() if change != "none")
    refused = sum(counts[change, False] for change in CHANGES)
    true = counts["none", True] + counts["none", False]
    print(
        json.dumps(
            {
                "true_verified": round(counts["none", True] / true, 4),
                "false_not_verified": round(refused / false, 4),
            }
        )
    )


if __name__ == "__main__":
    main()
