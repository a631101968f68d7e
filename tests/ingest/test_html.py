"""HTML is read as a browser shows it: what end tags leave out is there, what styles hide is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.reading import Reading
from rag.types import Status
from tests.ingest.support import read_file


def _read(tmp_path: Path, html: str, name: str = "page.html", **options: object) -> Reading:
    (tmp_path / name).write_text(html, encoding="utf-8")
    return read_file(tmp_path / name, **options)


def _lines(reading: Reading) -> list[str]:
    return [line for page in reading.pages for line in page.text.split("\n") if line]


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("<table><tr><th>Boat<th>Price<tr><td>Ferry<td>12<tr><td>Canoe<td>3</table>After",
         ["Boat | Price", "Ferry | 12", "Canoe | 3", "After"]),
        ("<table><thead><tr><td>Boat<td>Price<tbody><tr><td>Ferry<td>12", ["Boat | Price", "Ferry | 12"]),
        ("<table><td>lone<td>cells</table>", ["lone | cells"]),
        ("<p hidden>unseen<p>seen", ["seen"]),
        ("<p style='display:none'>unseen<p>seen", ["seen"]),
        ("<ul><li>one<li hidden>two<li>three</ul>", ["• one", "• three"]),
        ("<ol><li>one<li><p>two</p><p>more</p></ol><p>end</p>", ["1. one", "2. two", "more", "end"]),
        ("<ol><li>one<ul><li>first</ul><li>two</ol>", ["1. one", "• first", "2. two"]),
        ("<dl><dt>term<dd>sense<dt>other", ["term: sense", "other"]),
        ("<dl><dt>-l<dt>--list<dd><p>List</p><p>them.</p><dt>Why?<dd>So.</dl>",
         ["-l, --list: List", "them.", "Why?", "So."]),
        ("<dl><dt>a<dd><ul><li>b</ul><dt>c:<dd>d<dl><dt>e<dd>f</dl></dl>g", ["a", "• b", "c: d", "e: f", "g"]),
        ("<dl><dt>a<dd><table><tr><td>b<td>c</table><dt>d<dd><h3>e</h3>", ["a", "b | c", "d", "e"]),
        ("<table><tr><td>outer<table><tr><td>a<td>b</table><td>last</table>", ["outer", "a | b", "last"]),
        ("<p>one</div></span></p>two<b>three", ["one", "twothree"]),
        ("<pre>a  b\nc</pre>", ["a b", "c"]),
        ("<font>" * 3_000 + "deep", ["deep"]),
    ],
)  # fmt: skip
def test_end_tags_may_be_missing(html: str, lines: list[str], tmp_path: Path) -> None:
    assert _lines(_read(tmp_path, html)) == lines


def test_a_link_of_a_heading_to_itself_is_not_read(tmp_path: Path) -> None:
    html = "<h2>Fares<a class='headerlink' href='#fares'>¶</a></h2><p>¶ ends a paragraph, <a href='#x'>§ 4</a> says."
    assert _lines(_read(tmp_path, html)) == ["Fares", "¶ ends a paragraph, § 4 says."]


def test_xhtml_elements_without_content_end_at_once(tmp_path: Path) -> None:
    head = '<?xml version="1.0"?><html><head><script src="x.js"/><title/></head>'
    html = f"{head}<body><div/><p>Seen.</p></body></html>"
    assert _lines(_read(tmp_path, html, "page.xhtml")) == ["Seen."]


_HIDDEN_STYLES = [
    "display:none", "display : NONE !important", "visibility:hidden", "opacity:0", "opacity:0%", "opacity:.01",
    "color:white",
    "color:#fffffe", "color:transparent", "color:rgba(0,0,0,.02)", "color:hsl(0 0% 100%)", "font-size:0",
    "font-size:1px",
    "font-size:0.05em", "font:0/0 a", "font:1px serif", "position:absolute;left:-9999px", "text-indent:-999em",
    "position:absolute;clip:rect(0,0,0,0)", "clip:rect(1px 1px 1px 1px);position:absolute", "clip-path:inset(50%)",
    "clip-path:inset(100% 0 0)", "clip-path:circle(0)", "clip-path:polygon(0 0,0 0,0 0)", "transform:scale(0)",
    "transform:scale(1,0)", "transform:matrix(0,0,0,0,0,0)", "transform:rotateY(90deg)", "scale:0",
    "transform:translateX(-9999px)", "filter:opacity(0)", "filter:blur(20px)", "width:0;height:0;overflow:hidden",
    "height:1px;overflow:hidden", "max-height:0;overflow:clip", "content-visibility:hidden",
    "color:red;background:red",
    "-webkit-text-fill-color:transparent", "color:var(--c);--c:white", "dis\\70lay:none",
]  # fmt: skip


@pytest.mark.parametrize("style", _HIDDEN_STYLES)
@pytest.mark.parametrize("where", ["inline", "sheet", "id"])
def test_styles_that_hide(style: str, where: str, tmp_path: Path) -> None:
    head = {
        "inline": "",
        "sheet": f"<style>.x{{{style}}}</style>",
        "id": f"<style>p{{}} body #y{{{style}}}</style>",
    }[where]
    attribute = {"inline": f"style='{style}'", "sheet": "class='x'", "id": "id='y'"}[where]
    html = f"<head>{head}</head><body><p>The pier is open.</p><p {attribute}>Secret <b>words</b>.</p>"
    reading = _read(tmp_path, html)
    assert _lines(reading) == ["The pier is open."]
    assert "hidden text left out" in reading.reason


@pytest.mark.parametrize(
    "html",
    [
        "<dialog>Secret</dialog>",
        "<style>@media screen{p{display:none}}</style><p>Secret",
        "<style>@media (min-width: 600px){p{display:none}}</style><p>Secret",
        "<style>@supports (display:grid){p{color:#fff}}</style><p>Secret",
        "<style>body{background:#000;color:#000}</style><p>Secret",
        "<style>p{color:white!important}</style><p style='color:black'>Secret",
        "<style>div>p:first-child{display:none}</style><div><p>Secret</div>",
        "<style>::before, p{font-size:1px}</style><p>Secret",
        "<font color=white>Secret</font>",
        "<body bgcolor=navy text=#000080>Secret",
        "<div style='opacity:0'><p style='opacity:1;visibility:visible'>Secret</p></div>",
        "<iframe>Secret</iframe><template>Secret</template>",
    ],
)
def test_sheets_and_attributes_that_hide(html: str, tmp_path: Path) -> None:
    reading = _read(tmp_path, html)
    assert "Secret" not in "\n".join(_lines(reading))
    assert reading.status in (Status.HIDDEN_TEXT, Status.EMPTY)
    if "iframe" not in html:
        assert "Secret" in "\n".join(_lines(_read(tmp_path, html, keep_hidden_text=True)))


@pytest.mark.parametrize(
    "html",
    [
        "<style>.x{display:none}</style><p>Shown",
        "<style>@media print{p{display:none}}</style><p>Shown",
        "<style media=print>p{display:none}</style><p>Shown",
        "<style>@media (max-width: 600px){p{display:none}}</style><p>Shown",
        "<style>p{display:none} #a{display:block}</style><p id=a>Shown",
        "<style>p{color:white}</style><p style='color:black'>Shown",
        "<body style='background:#000;color:#fff'><p>Shown",
        "<div style='background:url(x.png);color:#fff'><p>Shown</div>",
        "<table><td bgcolor=black><font color=white>Shown",
        "<div style='visibility:hidden'><p style='visibility:visible'>Shown</div>",
        "<div style='font-size:0'><p style='font-size:16px'>Shown</div>",
        "<p style='overflow:hidden;line-height:1;height:20px'>Shown",
        "<p style='transform:translate(-50%,-50%) scale(1.2)'>Shown",
        "<dialog open>Shown</dialog>",
        "<p style='clip-path:inset(10% 60% 0 0)'>Shown",
        "<p style='background:rgba(0,0,0,.7);color:#fff'>Shown",
        "<style>p{color:bla;font:bold 12px/1 serif;}}}{{</style><p>Shown",
    ],
)
def test_styles_that_hide_nothing(html: str, tmp_path: Path) -> None:
    reading = _read(tmp_path, html)
    assert (_lines(reading), reading.status, reading.reason) == (["Shown"], Status.OK, "")
