"""Every sentence of a source is found whole in the index, however the page is laid out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.store.index import open_index
from rag.text.sentences import sentences
from tests.ingest.layouts import LAYOUTS, TEXTS, Paragraph, parse, write_layout, write_text
from tests.ingest.support import run

_BULLETS = ("•", "※")
_TITLE = re.compile(r"[A-Za-z]{2,}\.$")
_ANYWHERE = {layout.name for layout in LAYOUTS if layout.anywhere}
NAMES = [*(layout.name for layout in LAYOUTS), "text"]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The sentences of the chunks of every laid-out document, by file name."""
    folder, index = tmp_path_factory.mktemp("layouts"), tmp_path_factory.mktemp("index")
    for name, text in TEXTS.items():
        blocks = parse(text)
        for layout in LAYOUTS:
            write_layout(folder / f"{name}_{layout.name}.pdf", blocks, layout)
        write_text(folder / f"{name}_text.txt", blocks)
    run(folder, index)
    files = [f"{name}_{layout}.{'txt' if layout == 'text' else 'pdf'}" for name in TEXTS for layout in NAMES]
    return {file.partition(".")[0]: set(_sentences_of(index, file)) for file in files}


def _sentences_of(index: Path, file: str) -> Iterator[str]:
    with open_index(index) as opened:
        for page in opened.pages(file):
            for passage in opened.passages(opened.chunks_of_page(file, page.number)):
                for start, end in sentences(passage.text):
                    yield " ".join(passage.text[start:end].split())


def _wanted(block: Paragraph) -> Iterator[set[str]]:
    """For each sentence of a block the forms in which it is whole: the first one keeps its number."""
    first, *others = block.sentences
    numbered = f"{block.number} {first}".strip()
    # A bullet is no part of the sentence, and a title that ends in a full stop is one of its own.
    apart = block.number in _BULLETS or _TITLE.search(block.number)
    yield {numbered, first} if apart else {numbered}
    yield from ({other} for other in others)


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("name", TEXTS)
def test_every_sentence_is_whole(indexed: dict[str, set[str]], name: str, layout: str) -> None:
    found = {_solid(sentence) for sentence in indexed[f"{name}_{layout}"]}
    wanted = [forms for block in parse(TEXTS[name]) for forms in _wanted(block)]
    assert [min(forms) for forms in wanted if not found & set(map(_solid, forms))] == []


@pytest.mark.parametrize(("anywhere", "least"), [(False, 0.98), (True, 0.8)])
def test_words_keep_their_spaces(indexed: dict[str, set[str]], anywhere: bool, least: float) -> None:
    """English always. In Korean the space at a line's end is a guess, made of little text in short documents."""
    kept, korean = [], re.compile("[가-힣]")
    for name, layout in ((name, layout) for name in TEXTS for layout in NAMES):
        found = indexed[f"{name}_{layout}"]
        for forms in (forms for block in parse(TEXTS[name]) for forms in _wanted(block)):
            if not any(map(korean.search, forms)):
                assert found & forms, forms
            elif (layout in _ANYWHERE) is anywhere:
                kept.append(bool(found & forms))
    assert sum(kept) >= least * len(kept)


def _solid(text: str) -> str:
    """Without white space."""
    return "".join(text.split())
