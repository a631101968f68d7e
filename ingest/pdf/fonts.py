"""Finds the fonts of a PDF whose characters are not the ones they draw, and marks their text as unreadable.

A font with a wrong character map draws the right glyphs and says the wrong characters. There are two tests. Where
digits come out as rare Hangul and Latin letters as others, nothing is wrong with each character by itself; together
they are unlikely in any language, by how often letters and syllables occur there. Where the map says 98 and the page
shows 40, a sample of each font's characters is cut from the painted page and compared with the same characters in the
standard fonts. Designs differ, so only a clear likeness to another character counts.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as c
from numpy.typing import NDArray

from ingest.pdf.characters import Characters, font_name

UNREADABLE = "\ufffd"
_ENOUGH = 4_000
"""Characters of a font after which more change no verdict."""


class FontJudge:
    """The fonts of one document. Text of a font is collected over pages until there is enough for a verdict."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = defaultdict(str)
        self._shapes = ShapeJudge()

    def mark(self, text: Characters, page: Any | None) -> int:
        """Replace the characters that garbled or false fonts draw; returns how many visible ones they are.

        page: pypdfium2's, on which characters are compared with what it draws; None to compare none.
        """
        garbled = self._garbled(text) if may_hold_noise(text.text) else []
        text.replace(garbled, UNREADABLE)
        false = [] if page is None else self._shapes.false_positions(page, text)
        text.replace(false, UNREADABLE)
        return len(garbled) + len(false)

    def _garbled(self, text: Characters) -> list[int]:
        """The positions of the characters of fonts whose text is noise."""
        places: dict[int, list[int]] = defaultdict(list)
        visible = [position for position, character in enumerate(text.text) if not character.isspace()]
        for position, font in zip(visible, text.fonts(visible), strict=True):
            if font:
                places[font].append(position)
        names = {font: font_name(font) for font in places}
        for font, found in places.items():
            known = self._texts[names[font]]
            if len(known) < _ENOUGH:
                words = (
                    text.text[at]
                    if at - 1 == before
                    else f" {text.text[at]}"  # a blank where others lie between
                    for before, at in zip([-2, *found], found, strict=False)
                )
                self._texts[names[font]] = f"{known} {''.join(words)}"
        return [at for font, found in places.items() if is_noise(self._texts[names[font]]) for at in found]


_COMMON_SYLLABLES = frozenset(
    "가각간갈감갑값갔강같개객갯거건걸검것게겠겨격견결겹겼경계고곱곳공과관광교구국권귀규균그근글금급기긴길"
    "김깁깃깊까깨꺼께꼴꾸꿀꿈꿉뀌뀐끄끗끝끼나난날남납났낮내낸낼냄냅냈너널넘넣네녀년노논농높놓누눌뉴느는늘"
    "능늦니닌닐님닙다닦단닫달닭담답당대더던덟덤덮데덱델도독돌동되된될됨됩두둘둡뒤듈드든들듭등디딩따때떤떨"
    "떻또뜀뜻라락란람랐랑래랜램략량러런럼렇레렉려력련렬렸령례로록론롤롬롭롯료루룬룰룹류률르른를름릅리릭린"
    "릴림립릿링마막만많말망맞맡매맥머먼멈메며면명몇모목못무묶문묻물므미민밀밋및바박밖반받발밝방배백밸버번"
    "범법벗베벤벨변별병보복본볼봄봅봉부북분불붙뷰브블비빈빌빛빠빨빼뺀뿐사삭산살삼상새색생서석선설섬섯성세"
    "섹센셀셋션셸소속손솔솜송쇄쇠수숙순술숨숫쉬쉼쉽슈스슬습승시식신실심십싱써쓰쓴쓸씁씩아안않알암압았앞애"
    "액앱야약양어억언얼업없엇었에엔여역연열였영예옛오온올옮옴옵와완왔왕외왼요용우운울움웁워원월웨위윈유육"
    "율으은을음읍응의이익인일읽임입있자작잘잠잡장재잭저적전절점접정제젝젯져졌조족존종좌주준줄줍중즈증지직"
    "진질짐집짓짜짧째쪽차찬참창찾채책처천철첫청체쳐쳤초총최추축출춤충취측층치칙친칠침카칸칼캐캘커컨컬컴케"
    "켓켜코콘콜쿠쿼퀀크큰클큼키킨킬타탁탄탈탐태택탭터턴테텍템토통퇴투트특틀티팀파판팔패퍼페펴편평폐포폭폴"
    "표푸풀품풍프플피픽핀필핑하학한할함합항해햇했행향허험헤혀현협형호혹혼홈홉화확환활황회획횟효후휴히힌힣"
)
"""The 600 most frequent syllables, 96 % of Korean prose, counted in translations of programs and in our own texts.
Unicode has 11,172, KS X 1001 has 2,350: characters by mistake are among these one time in four at best."""
_RARE = 0.35
"""Share of other syllables from which a text is no Korean: names and dialect stay below half of it."""
_SUSPICIOUS = 0.07
"""Share from which a page may hold such a text among others: twice that of Korean prose."""
_FEWEST_SYLLABLES = 12
_FEWEST_RARE = 6
# Letters in English text in per cent (Lewand, Cryptological Mathematics, 2000).
_LETTERS: dict[str, float] = {
    **{"e": 12.7, "t": 9.06, "a": 8.17, "o": 7.51, "i": 6.97, "n": 6.75, "s": 6.33, "h": 6.09, "r": 5.99},
    **{"d": 4.25, "l": 4.03, "c": 2.78, "u": 2.76, "m": 2.41, "w": 2.36, "f": 2.23, "g": 2.02, "y": 1.97},
    **{"p": 1.93, "b": 1.49, "v": 0.98, "k": 0.77, "j": 0.15, "x": 0.15, "q": 0.1, "z": 0.07},
}
_LEAST = 0.5
"""Per cent that the rarest letters count as, since other languages have more of j, k, w and z."""
_FEWEST_LETTERS = 100
_UNLIKELY = -0.25
"""Bits a letter by which a text is likelier English than random letters: English has +0.5, the other languages of
Europe and program text at least +0.25, permuted letters -0.45 at most."""
_DOUBTFUL = 0.2
_HANGUL = re.compile("[가-힣]")
_WORD = re.compile(r"(?<![A-Za-z])[A-Za-z]{3,25}(?![A-Za-z])")
"""Longer runs are keys and hashes, shorter ones formulas, which are random by themselves."""


def is_noise(text: str) -> bool:
    """Whether the text of one font is characters by mistake. False where there is too little to tell."""
    syllables = _HANGUL.findall(text)
    if len(syllables) >= _FEWEST_SYLLABLES:
        return _rare(syllables) > _RARE * len(syllables)
    return _likelihood(text) < _UNLIKELY


def may_hold_noise(text: str) -> bool:
    """Whether a page looks as if some of its text were noise: a cheap reason to look at its fonts one by one."""
    if not text.isascii():
        syllables = _HANGUL.findall(text)
        rare = _rare(syllables)
        if rare >= _FEWEST_RARE and rare > _SUSPICIOUS * len(syllables):
            return True
    return _likelihood(text) < _DOUBTFUL


def _rare(syllables: list[str]) -> int:
    return sum(syllable not in _COMMON_SYLLABLES for syllable in syllables)


def _likelihood(text: str) -> float:
    """Mean log-likelihood ratio of the letters a to z, English against random, in bits; 1 for too few letters."""
    letters = "".join(_WORD.findall(text)).lower()
    if len(letters) < _FEWEST_LETTERS:
        return 1.0
    bits = sum(
        letters.count(letter) * math.log2(max(share, _LEAST) * 0.26) for letter, share in _LETTERS.items()
    )
    return bits / len(letters)


DIGITS = frozenset("0123456789")
_COMPARED = re.compile("[0-9A-Za-z]")
_LOOKED_AT = re.compile("[0-9]|(?<![A-Za-z])[A-Za-z]")
"""Every digit, and one letter of each word: enough to see which fonts are there."""
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_SIDE = 24
"""Pixels of the square that a character is scaled to before it is compared."""
_SCALE = 3.0
"""Pixels a point: a digit of 7-point type is 15 pixels high."""
_MAX_PIXELS = 3_000
_CONTRAST = 60
_LEAST_HEIGHT = 4.0
_SAMPLES = 3
_CLEARLY = 0.12
"""Correlation by which another character must be nearer. Of 479 pairs of font and digit in 21 filings no true one is
over 0.08, and 98 % of wrong ones are over 0.1, in bold, italic and condensed type, too."""
_LIKE = 0.7
"""Correlation from which a cut-out looks like a character of the standard fonts at all: 19 of 20 digits of those
filings do, and one that a ruled line crosses does not."""
_ENOUGH_LETTERS = 4
_MOST_COMPARED = 12
_MOST_LETTERS = 0.6
"""A font whose letters are mostly drawn as other ones: of the fonts of those filings the worst has a third."""
_FONTS = ("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Times-Roman", "Times-Bold", "Times-Italic",
          "Courier", "Courier-Bold")  # fmt: skip

Glyph = NDArray[np.float32]


class ShapeJudge:
    """The fonts of one document, by name; a font is looked at where its characters first appear."""

    def __init__(self) -> None:
        self._judged: dict[str, set[str]] = defaultdict(set)
        self._false: dict[str, set[str]] = defaultdict(set)

    def false_positions(self, page: Any, text: Characters) -> list[int]:
        """Where the text of a page (pypdfium2's) has characters that show other ones."""
        looked_at = [match.start() for match in _LOOKED_AT.finditer(text.text)]
        if self._knows_all(text, looked_at):
            return []
        found = _by_font(text, looked_at)
        if any(font not in self._judged for font in found):
            found = _by_font(text, [match.start() for match in _COMPARED.finditer(text.text)])
        samples: dict[str, dict[str, list[int]]] = {}
        for font, places in found.items():
            judged = self._judged.get(font, set())
            new = {x: at[:_SAMPLES] for x, at in places.items() if x in DIGITS and x not in judged}
            if not judged:
                letters = [x for x in places if x in _ALPHABET]
                new |= {x: places[x][:1] for x in letters[:_MOST_COMPARED]}
            if new:
                samples[font] = new
        if samples:
            self._judge(page, text, samples)
        if not any(self._false[font] for font in found):
            return []
        everywhere = _by_font(text, [match.start() for match in _COMPARED.finditer(text.text)])
        return sorted(
            at
            for font, places in everywhere.items()
            for x in places.keys() & self._false[font]
            for at in places[x]
        )

    def _knows_all(self, text: Characters, positions: list[int]) -> bool:
        """Whether the fonts of some characters, and all digits among these, are known to show what they say."""
        drawn = text.fonts(positions)
        names = _names(drawn)
        if any(name not in self._judged or self._false[name] for name in names.values()):
            return False
        pairs = set(zip(drawn, map(text.text.__getitem__, positions), strict=True))
        return all(x not in DIGITS or not font or x in self._judged[names[font]] for font, x in pairs)

    def _judge(self, page: Any, text: Characters, samples: dict[str, dict[str, list[int]]]) -> None:
        painted = _Painted(page)
        for font, places in samples.items():
            likeness = {x: painted.likeness(x, text, positions) for x, positions in places.items()}
            self._judged[font] |= likeness.keys()
            wrong = {x for x, other in likeness.items() if other is not None and other > _CLEARLY}
            self._false[font] |= wrong & DIGITS
            compared = [x for x, other in likeness.items() if other is not None and x in _ALPHABET]
            if len(compared) >= _ENOUGH_LETTERS and len(wrong - DIGITS) > _MOST_LETTERS * len(compared):
                self._false[font] |= _ALPHABET


def _by_font(text: Characters, positions: list[int]) -> dict[str, dict[str, list[int]]]:
    """The positions by the name of the font and by character."""
    drawn = text.fonts(positions)
    names = _names(drawn)
    found: dict[str, dict[str, list[int]]] = {}
    for at, font in zip(positions, drawn, strict=True):
        if font:
            found.setdefault(names[font], {}).setdefault(text.text[at], []).append(at)
    return found


def _names(fonts: Iterable[int | None]) -> dict[int, str]:
    """The names of fonts by handle. Fonts of one name are numbered as they appear on the page."""
    names: dict[int, str] = {}
    numbers: dict[str, int] = defaultdict(int)
    for font in filter(None, dict.fromkeys(fonts)):
        name = font_name(font)
        names[font] = f"{name}#{numbers[name]}"
        numbers[name] += 1
    return names


class _Painted:
    """A page painted large enough to compare its characters."""

    def __init__(self, page: Any) -> None:
        self._left, bottom, right, self._top = page.get_bbox()
        longest = max(right - self._left, self._top - bottom, 1.0)
        self._scale = min(_SCALE, _MAX_PIXELS / longest)
        self._pixels = _grey(page, self._scale)

    def likeness(self, character: str, text: Characters, positions: list[int]) -> float | None:
        """By how much the drawn character is more like another one, in the middle of the samples; None for none."""
        others = DIGITS if character in DIGITS else _ALPHABET
        same = {character, character.lower(), character.upper()}  # small capitals are letters, too
        margins = []
        for at in positions:
            glyph = self._cut(text, at)
            if glyph is not None:
                alike = _correlations(glyph)
                other = max(alike[x] for x in others - same)
                margins.append(other - max(alike[x] for x in same & others) if other > _LIKE else 0.0)
        return median(margins) if margins else None

    def _cut(self, text: Characters, position: int) -> Glyph | None:
        """The character as it is painted, None where it is too small or too faint to tell."""
        box = text.tight_box(position)
        if box is None or box[3] - box[1] < _LEAST_HEIGHT:
            return None
        left, right = (
            round((box[0] - self._left) * self._scale),
            round((box[2] - self._left) * self._scale) + 1,
        )
        top, bottom = round((self._top - box[3]) * self._scale), round((self._top - box[1]) * self._scale) + 1
        pixels = self._pixels[max(0, top) : bottom, max(0, left) : right]
        if min(pixels.shape) < 2 or int(pixels.max()) - int(pixels.min()) < _CONTRAST:
            return None
        around = self._pixels[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2]
        low, high = float(pixels.min()), float(pixels.max())
        ink = (pixels.astype(np.float32) - low) / np.float32(high - low)
        if text.brightness(position) < float(np.median(around)):
            ink = np.float32(1.0) - ink
        return _normalised(ink)


def _grey(page: Any, scale: float) -> NDArray[np.uint8]:
    bitmap = page.render(
        scale=scale, rotation=-page.get_rotation() % 360, grayscale=True, may_draw_forms=False
    )
    pixels: NDArray[np.uint8] = bitmap.to_numpy().copy()
    bitmap.close()
    return pixels[:, :, 0] if pixels.ndim == 3 else pixels


def _normalised(ink: Glyph) -> Glyph | None:
    """Ink between 0 and 1, cropped and scaled to the height of a square, as a unit vector; None for a speck."""
    rows, columns = np.nonzero(ink.max(axis=1) > 0.4)[0], np.nonzero(ink.max(axis=0) > 0.4)[0]
    if len(rows) < 6 or not len(columns):
        return None
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    across = max(1, min(_SIDE, round(_SIDE * width / height)))
    y = np.minimum(np.arange(_SIDE * 4) * height // (_SIDE * 4), height - 1)
    x = np.minimum(np.arange(across * 4) * width // (across * 4), width - 1)
    square = np.zeros((_SIDE, _SIDE), np.float32)
    left = (_SIDE - across) // 2
    square[:, left : left + across] = ink[np.ix_(y, x)].reshape(_SIDE, 4, across, 4).mean(axis=(1, 3))
    vector: Glyph = square.ravel() - square.mean()
    length = float(np.linalg.norm(vector))
    return vector / length if length else None


def _correlations(glyph: Glyph) -> dict[str, float]:
    """How much a cut-out is like each digit and letter in the standard font that is nearest."""
    characters, starts, references = _references()
    best = np.maximum.reduceat(references @ glyph, starts)
    return dict(zip(characters, best.tolist(), strict=True))


@cache
def _references() -> tuple[list[str], list[int], NDArray[np.float32]]:
    """Every digit and letter, where its rows begin, and a row for each standard font that it is drawn in.

    PDFium carries those fonts (PDF 1.7 reference, section 5.5.1).
    """
    characters = sorted(DIGITS | _ALPHABET)
    document = pdfium.PdfDocument.new()
    page = document.new_page(40 * len(characters) + 40, 50 * len(_FONTS) + 40)
    found: dict[str, list[Glyph]] = defaultdict(list)
    for row, name in enumerate(_FONTS):
        font = c.FPDFText_LoadStandardFont(document.raw, name.encode())
        for column, character in enumerate(characters):
            drawn = c.FPDFPageObj_CreateTextObj(document.raw, font, 30.0)
            written = (ctypes.c_ushort * 2)(ord(character), 0)
            c.FPDFText_SetText(drawn, written)
            c.FPDFPageObj_Transform(drawn, 1, 0, 0, 1, 20 + 40 * column, 20 + 50 * row)
            c.FPDFPage_InsertObject(page.raw, drawn)
    c.FPDFPage_GenerateContent(page.raw)
    scale = 1.5
    pixels = np.float32(1.0) - _grey(page, scale).astype(np.float32) / np.float32(255)
    for row in range(len(_FONTS)):
        bottom = pixels.shape[0] - round((20 + 50 * row - 12) * scale)
        for column, character in enumerate(characters):
            left = round((20 + 40 * column - 6) * scale)
            glyph = _normalised(pixels[bottom - round(50 * scale) : bottom, left : left + round(38 * scale)])
            if glyph is not None:
                found[character].append(glyph)
    document.close()
    drawn_ones = sorted(found)
    starts = np.cumsum([0, *(len(found[character]) for character in drawn_ones)])[:-1].tolist()
    return drawn_ones, starts, np.array([glyph for character in drawn_ones for glyph in found[character]])
