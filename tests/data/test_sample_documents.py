"""The committed PDFs show what real documents have, and say what their sources say."""

from __future__ import annotations

import re
from pathlib import Path

import pypdf
import pypdfium2
import pytest
import yaml
from sample_text import LINE_END_HYPHEN, PDFS, SAMPLE, SOURCES, fold, is_korean, page_texts

MARGIN = 60.0  # points; running headers and footers stand within this distance of the edge
TWO_COLUMNS = ("brennet-point-salt-marsh-study.pdf", "가람천-수온-어류-연구보고서.pdf")
ENGLISH = [path for path in PDFS if not is_korean(path.name)]
KOREAN = [path for path in PDFS if is_korean(path.name)]


def name(path: Path) -> str:
    return path.name


def bands(path: Path) -> list[tuple[str, str]]:
    """The text in the top and in the bottom margin of each page."""
    found = []
    with pypdfium2.PdfDocument(path) as document:
        for page in document:
            text, height = page.get_textpage(), page.get_height()
            top = text.get_text_bounded(bottom=height - MARGIN)
            found.append((top, text.get_text_bounded(top=MARGIN)))
    return found


def body_boxes(path: Path, page: int) -> list[tuple[float, float, float, float]]:
    """The boxes (left, bottom, right, top) of the pieces of text between header and footer."""
    with pypdfium2.PdfDocument(path) as document:
        text, height = document[page].get_textpage(), document[page].get_height()
        boxes = [text.get_rect(i) for i in range(text.count_rects())]
    return [box for box in boxes if box[3] < height - MARGIN and box[1] > MARGIN]


def test_there_are_enough_documents_and_pages_in_both_languages() -> None:
    english = sum(len(page_texts(path.name)) for path in ENGLISH)
    korean = sum(len(page_texts(path.name)) for path in KOREAN)
    assert len(list(SAMPLE.iterdir())) >= 10
    assert english + korean >= 34
    assert min(english, korean) >= 0.4 * (english + korean)
    assert {path.suffix for path in SAMPLE.iterdir()} == {".pdf", ".md", ".html"}
    assert sum(path.stat().st_size for path in PDFS) < 3_000_000


@pytest.mark.parametrize("path", PDFS, ids=name)
def test_header_and_footer_run_through_all_pages_but_a_cover(path: Path) -> None:
    found = bands(path)
    running = found[1:] if not found[0][0].strip() else found
    labels = pypdf.PdfReader(path).page_labels[-len(running) :]
    assert len({top for top, _ in running}) == 1
    assert running[0][0].strip()
    for (_, bottom), label in zip(running, labels, strict=True):
        assert re.search(rf"(?<![\w]){label}(?!\w)|{label}쪽", bottom)


@pytest.mark.parametrize("path", PDFS, ids=name)
def test_each_pdf_has_a_title_and_embedded_fonts(path: Path) -> None:
    reader = pypdf.PdfReader(path)
    assert reader.metadata is not None
    assert reader.metadata.title
    for page in reader.pages:
        fonts = page["/Resources"]["/Font"]
        used = re.findall(rb"(/F\d\+\d+) [\d.]+ Tf", page.get_contents().get_data())
        assert used
        for font in {key.decode() for key in used}:
            assert "/FontFile2" in fonts[font]["/FontDescriptor"]
            assert "/ToUnicode" in fonts[font]


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_english_words_are_hyphenated_at_line_ends(path: Path) -> None:
    text = "\n".join(page_texts(path.name))
    joined = LINE_END_HYPHEN.findall(text)
    assert len(joined) >= 5


@pytest.mark.parametrize("path", KOREAN, ids=name)
def test_korean_words_are_broken_at_line_ends(path: Path) -> None:
    source, text = source_text(path.name), "\n".join(page_texts(path.name))
    broken = sum(cut_inside_a_word(match, source) for match in re.finditer(r"[가-힣]\r?\n[가-힣]", text))
    assert broken >= 5


def cut_inside_a_word(line_end: re.Match[str], source: str) -> bool:
    """Whether the source has no space where the line of the page ends."""
    text, start, end = line_end.string, line_end.start() + 1, line_end.end() - 1
    before, after = text[max(0, start - 8) : start].split(), text[end : end + 6].split()
    pieces = [r"\s*".join(map(re.escape, "".join(words))) for words in (before, after)]
    return re.search("".join(pieces), source) is not None


@pytest.mark.parametrize("file", TWO_COLUMNS)
def test_two_columns_leave_the_gutter_free(file: str) -> None:
    path = SAMPLE / file
    boxes = body_boxes(path, 1)
    with pypdfium2.PdfDocument(path) as document:
        middle = document[1].get_width() / 2
    left = [box for box in boxes if box[2] <= middle]
    right = [box for box in boxes if box[0] >= middle]
    assert len(left) + len(right) == len(boxes)
    assert min(len(left), len(right)) >= 20
    # Reading order: the last line of the left column comes before the first of the right one.
    order = [box[0] >= middle for box in boxes]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("harrow-sound-ferries-annual-report-2024.pdf", "Profit for the year 2,730 2,170"),
        ("온새미햇빛발전협동조합-2024년-사업보고서.pdf", "당기순이익 34,400 54,300"),
        ("tarn-340-user-manual.pdf", "340-20 Sample vials, 10 ml, pack of six 39.50"),
        ("가람시립박물관-관람-및-대관-안내.pdf", "강당 210명 180,000원 50,000원"),
    ],
)
def test_table_rows_are_read_as_one_line(file: str, row: str) -> None:
    lines = [re.sub(r"\s+", " ", line).strip() for page in page_texts(file) for line in page.splitlines()]
    assert row in lines


@pytest.mark.parametrize(
    "file", ["harrow-sound-ferries-annual-report-2023.pdf", "온새미햇빛발전협동조합-2023년-사업보고서.pdf"]
)
def test_the_two_years_of_a_report_agree_where_they_speak_of_the_same_year(file: str) -> None:
    statement = r"(?m)^([^\d\n]+?) \(?([\d,]{3,})\)? \(?([\d,]{2,})\)?\s*$"
    rows, next_rows = (
        {label: (now, then) for label, now, then in re.findall(statement, income_statement_page(report))}
        for report in (file, file.replace("2023", "2024"))
    )
    shared = rows.keys() & next_rows.keys()
    assert len(shared) >= 12
    assert all(rows[label][0] == next_rows[label][1] for label in shared)
    assert any(rows[label][0] != next_rows[label][0] for label in shared)


def income_statement_page(file: str) -> str:
    """The page of a report that holds its income statement."""
    return next(
        page for page in page_texts(file) if re.search("(?m)^(Profit for the year|당기순이익) ", page)
    )


def test_ligatures_labels_and_outlines_are_there() -> None:
    study = pypdf.PdfReader(SAMPLE / TWO_COLUMNS[0])
    report = pypdf.PdfReader(SAMPLE / "harrow-sound-ferries-annual-report-2024.pdf")
    assert "ﬁ" in study.pages[0].extract_text()
    assert study.page_labels == ["111", "112"]
    assert report.page_labels[:4] == ["i", "ii", "1", "2"]
    assert "Financial review" in [entry.title for entry in report.outline if not isinstance(entry, list)]


@pytest.mark.parametrize("path", PDFS, ids=name)
def test_every_sentence_of_the_source_is_in_the_pdf(path: Path) -> None:
    whole = "".join(fold(page) for page in page_texts(path.name))
    for sentence in re.split(r"(?<=\.)\s+|\n{2,}|\|", source_text(path.name)):
        piece = fold(sentence).replace("'", "’")
        if len(piece) > 2:
            assert piece in whole, sentence


def source_text(file: str) -> str:
    """The text of the source of a PDF without its head, its markup and its options."""
    for path in SOURCES.glob("*.txt"):
        _, head, text = path.read_text(encoding="utf-8").split("---\n", 2)
        if yaml.safe_load(head)["file"] == file:
            text = re.sub(r"(?m)^!space .*$|^={3,}$|^\+{3}$|^\{.*\}$", "\n\n", text)
            text = re.sub(r"\[\^(\d)\]: ", "\n\n", text)
            text = re.sub(r"\[\^(\d)\]", r"\1)" if is_korean(file) else r"\1", text)
            return re.sub(r"(?m)^#+ |^!\w+ |^- |\*\*|(?<!\w)_|_(?!\w)", "\n\n", text)
    raise LookupError(f"no source in data/sources writes {file}")
