"""How answers look at a terminal."""

from __future__ import annotations

import click
import pytest

from rag.answering.citations import PageTexts, check_quote
from rag.answering.markers import Quote
from rag.cli.render import citation_line
from rag.messages import Language
from tests.answering.shelf import Shelf

SHELF = Shelf()


def shown(file: str, quote: str, language: Language) -> str:
    citation = check_quote(Quote(quote, 1), [SHELF.passage(file, 1)], PageTexts(SHELF))
    return citation_line(citation, language)


@pytest.mark.parametrize(
    ("file", "quote", "language", "difference"),
    [
        ("bridge.pdf", "It cost 90 million dollars, of which the port paid a third", "en", "[-90-]{+60+}"),
        ("대교.pdf", "그 가운데 전부를 시가 냈다", "ko", "[-전부를-]{+절반을+}"),
    ],
)
def test_an_altered_quote_is_shown_beside_the_words_of_the_page(
    file: str, quote: str, language: Language, difference: str
) -> None:
    line = shown(file, quote, language)
    plain = click.unstyle(line)
    assert quote in plain
    assert difference in plain
    assert plain.count("{+") == 2  # the legend and the one difference
    assert click.style(difference.partition("{")[0], fg="red") in line
    assert click.style("{" + difference.partition("{")[2], fg="green") in line


def test_a_quote_that_stands_has_no_difference() -> None:
    assert "[-" not in shown("bridge.pdf", "The toll was abolished in 1954", "en")


def test_a_page_cannot_send_colours_through_the_difference() -> None:
    shelf = Shelf({"x.pdf": ["The pump stops at two\x1b[31m bar and starts again at five bar."]})
    quote = Quote("The pump stops at three bar and starts again at five bar.", 1)
    citation = check_quote(quote, [shelf.passage("x.pdf", 1)], PageTexts(shelf))
    assert citation.difference
    assert "\x1b[31m bar" not in citation_line(citation, "en")
