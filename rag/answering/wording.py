"""What the proof tells the reader, in the language asked for."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "ko"]

_SENTENCES: dict[str, dict[Language, str]] = {
    "no_such_passage": {
        "en": "Cited as passage {number}, which does not exist.",
        "ko": "지문 {number}에서 인용했다고 하지만 그런 지문은 없습니다.",
    },
    "other_file": {
        "en": "Cited from {claimed_file}, page {claimed}; it stands in {file}, page {page}.",
        "ko": "{claimed_file} {claimed}쪽에서 인용했다고 하지만 {file} {page}쪽에 있습니다.",
    },
    "other_page": {
        "en": "Cited from page {claimed}; it stands on page {page}.",
        "ko": "{claimed}쪽에서 인용했다고 하지만 {page}쪽에 있습니다.",
    },
    "altered": {
        "en": "The page says it in other words.",
        "ko": "쪽에는 다른 말로 적혀 있습니다.",
    },
    "missing": {
        "en": "These words stand on none of the retrieved pages.",
        "ko": "찾은 쪽 어디에도 이 말이 없습니다.",
    },
    "no_quote": {
        "en": "Cited without a quote.",
        "ko": "인용문 없이 출처만 밝혔습니다.",
    },
    "table_period": {
        "en": "The table has {value} under {header}, not for the period that is stated.",
        "ko": "표에서 {value}은(는) {header}의 값입니다. 말한 기간의 값이 아닙니다.",
    },
    "table_item": {
        "en": "The table has {value} for {header}.",
        "ko": "표에서 {value}은(는) {header}의 값입니다.",
    },
    "table_unit": {
        "en": "The table states {value} in another unit: {header}.",
        "ko": "표의 {value}은(는) 단위가 다릅니다: {header}.",
    },
    "table_sign": {
        "en": "The table has {value} for {header}: the sign differs.",
        "ko": "표에서 {header}의 값은 {value}입니다. 부호가 다릅니다.",
    },
    "withheld": {
        "en": "Withheld, because it could not be proven: {withheld} of {all} sentences.",
        "ko": "확인되지 않아 보여 드리지 않은 문장: {all}개 중 {withheld}개.",
    },
    "also_declined": {
        "en": "The model also said that the documents do not hold the answer.",
        "ko": "모델은 문서에 답이 없다고도 했습니다.",
    },
}


def say(key: str, language: Language, **values: object) -> str:
    """The sentence `key` in `language`."""
    return _SENTENCES[key][language].format(**values)
