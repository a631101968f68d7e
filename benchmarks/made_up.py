"""Made-up documents about hospitals, dishwashers and the like, with questions that they answer and others.

`benchmarks/answer_head/*.txt`: a line `@kind: name; name` opens a kind of thing. Each other line is an attribute:
ways to state it, `||`, ways to ask for it. `{E}` stands for the name, `{n}`, `{y}`, `{p}` and so on for values.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("answer_head")
_PEOPLE = {
    "en": [
        "Anna Abbot",
        "Ben Costa",
        "Clara Dahl",
        "Elif Evers",
        "Frank Grant",
        "Ines Horn",
        "Jakob Lund",
        "Mona Novak",
        "Peter Price",
    ],
    "ko": [
        "김도윤",
        "이서연",
        "박지후",
        "최하은",
        "정민재",
        "강수빈",
        "조현우",
        "윤채원",
        "임태오",
        "한소율",
        "오세진",
        "서나경",
    ],
}
_TOWNS = {
    "en": ["Harwick", "Oldfield", "Tarsa", "Lynmouth", "Vesper", "Norden", "Selby"],
    "ko": ["가람시", "들미", "솔내읍", "은천", "새말"],
}
_FIRMS = {
    "en": ["Merrow & Sons", "Kalden Bank", "Vito Partners", "Orrin Capital", "Pell Brewery"],
    "ko": ["한결은행", "새롬건설", "누리회계법인", "다온식품"],
}
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_PARTICLE = re.compile(r"(.)(은\(는\)|이\(가\)|을\(를\)|와\(과\)|\(으\)로)")
_FORMS = {"은(는)": "은는", "이(가)": "이가", "을(를)": "을를", "와(과)": "과와"}


@dataclass(frozen=True)
class Kind:
    names: list[str]
    attributes: list[tuple[list[str], list[str]]]


def kinds(language: str) -> list[Kind]:
    found: list[Kind] = []
    for line in (FOLDER / f"{language}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            found.append(Kind([n.strip() for n in line.partition(":")[2].split(";")], []))
        elif "||" in line:
            stated, asked = ([way.strip() for way in side.split(" / ")] for side in line.split("||"))
            found[-1].attributes.append((stated, asked))
    return found


def documents(
    language: str, count: int, chance: random.Random
) -> Iterator[tuple[str, list[str], list[tuple[str, int | None]]]]:
    """Header, sentences, and questions with the place of the sentence that answers, or None."""
    every = kinds(language)
    for _ in range(count):
        kind = chance.choice(every)
        name = chance.choice(kind.names)
        order = chance.sample(kind.attributes, len(kind.attributes))
        stated = chance.randint(3, min(8, len(order) - 2))
        sentences: list[str] = []
        asked: list[tuple[str, int | None]] = []
        for place, (ways, questions) in enumerate(order[:stated]):
            values = _values(language, chance)
            sentences.append(_filled(chance.choice(ways), name, values))
            question, number = chance.choice(questions), chance.random()
            if number < 0.24 and "{y}" in question and values["y"] in sentences[-1]:
                year = str(int(values["y"]) + chance.choice([-2, -1, 1, 2, 3]))
                asked.append((_filled(question, name, values | {"y": year}), None))
            elif number < 0.12 and "{E}" in question:
                other = chance.choice([n for n in kind.names if n != name])
                asked.append((_filled(question, other, values), None))
            elif "{y}" not in question or values["y"] in sentences[-1]:
                asked.append((_filled(question, name, values), place))
        asked = chance.sample(asked, min(3, len(asked)))
        for _ways, questions in order[stated : stated + 2]:
            asked.append((_filled(chance.choice(questions), name, _values(language, chance)), None))
        yield chance.choice([name, name, ""]), sentences, asked


def _values(language: str, chance: random.Random) -> dict[str, str]:
    number = chance.choice([chance.randint(11, 99), chance.randint(100, 980), chance.randint(1000, 9800)])
    year, day = chance.randint(2015, 2025), chance.randint(1, 28)
    month = chance.randint(1, 12)
    return {
        "n": f"{number:,}" if chance.random() < 0.7 else str(number),
        "k": str(chance.randint(2, 12)),
        "y": str(chance.randint(1850, 2025)),
        "p": chance.choice(_PEOPLE[language]),
        "t": chance.choice(_TOWNS[language]),
        "c": chance.choice(_FIRMS[language]),
        "w": chance.choice(
            [f"{chance.randint(1, 90)},{chance.choice('05')}00원", f"{chance.randint(1, 90)}만 원"]
        ),
        "m": chance.choice("£$€") + str(chance.randint(2, 980)),
        "d": f"{day} {_MONTHS[month - 1]} {year}" if language == "en" else f"{year}년 {month}월 {day}일",
    }


def _filled(pattern: str, name: str, values: dict[str, str]) -> str:
    text = pattern.replace("{E}", name)
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    text = _PARTICLE.sub(_with_particle, text)
    return text[0].upper() + text[1:]


def _with_particle(match: re.Match[str]) -> str:
    before, pair = match.groups()
    place = ord(before) - ord("가")
    final = place % 28 > 0 if 0 <= place <= ord("힣") - ord("가") else before in "013678LMNR"
    if pair not in _FORMS:
        return before + ("으로" if final else "로")
    return before + _FORMS[pair][0 if final else 1]
