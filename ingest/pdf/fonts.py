"""Finds the fonts of a PDF whose characters are not the ones they draw, and marks their text as unreadable.

A font with a wrong character map draws the right glyphs and says the wrong characters: digits come out as rare
Hangul, Latin letters as others. Nothing is wrong with each character by itself; together they are unlikely in any
language, by how often letters and syllables occur there.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict

from ingest.pdf.characters import Characters, font_name
from ingest.pdf.shapes import ShapeJudge

UNREADABLE = "\ufffd"
_ENOUGH = 4_000
"""Characters of a font after which more change no verdict."""


class FontJudge:
    """The fonts of one document. Text of a font is collected over pages until there is enough for a verdict."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = defaultdict(str)
        self.shapes = ShapeJudge()

    def mark(self, text: Characters) -> int:
        """Replace the characters of a page that garbled fonts draw; returns how many visible ones they are."""
        if not may_hold_noise(text.text):
            return 0
        places: dict[int, list[int]] = defaultdict(list)
        visible = [position for position, character in enumerate(text.text) if not character.isspace()]
        for position, font in zip(visible, text.fonts(visible), strict=True):
            if font:
                places[font].append(position)
        names = {font: font_name(font) for font in places}
        for font, found in places.items():
            known = self._texts[names[font]]
            if len(known) < _ENOUGH:
                self._texts[names[font]] = f"{known} {_words(text.text, found)}"
        garbled = [at for font, found in places.items() if is_noise(self._texts[names[font]]) for at in found]
        text.replace(garbled, UNREADABLE)
        return len(garbled)


def _words(text: str, positions: list[int]) -> str:
    """The characters at the positions, with a blank where others lie between."""
    return "".join(
        text[at] if at - 1 == before else f" {text[at]}"
        for before, at in zip([-2, *positions], positions, strict=False)
    )


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
