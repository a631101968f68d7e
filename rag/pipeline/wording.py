"""The sentences that an answer carries for its reader, in the language that is set, else that of the question."""

from __future__ import annotations

from rag.answering.wording import Language
from rag.settings import Settings
from rag.text.language import language_of

_SENTENCES: dict[str, dict[Language, str]] = {
    "nothing_found": {
        "en": "Nothing in the index comes near the question.",
        "ko": "색인에서 질문에 가까운 내용을 찾지 못했습니다.",
    },
    "asks_nothing": {
        "en": "The question names nothing to look for: say what it is about.",
        "ko": "질문에 찾아볼 말이 없습니다. 무엇에 관한 것인지 적어 주세요.",
    },
    "empty_index": {
        "en": "The index is empty: `rag ingest FOLDER` fills it.",
        "ko": "색인이 비어 있습니다. `rag ingest 폴더`로 채우세요.",
    },
    "nothing_allowed": {
        "en": "No page matches {where}: `rag status` lists the files.",
        "ko": "{where}에 맞는 쪽이 없습니다. `rag status`가 파일을 보여 줍니다.",
    },
    "too_weak": {
        "en": "What was found does not answer the question closely enough.",
        "ko": "찾은 내용이 질문의 답이라고 보기에는 부족합니다.",
    },
    "missing_words": {
        "en": "Words of the question that are not in it: {words}.",
        "ko": "질문에는 있고 찾은 내용에는 없는 말: {words}.",
    },
    "model_declined": {
        "en": "The model read the passages and found no answer in them.",
        "ko": "모델이 지문을 읽었지만 답을 찾지 못했습니다.",
    },
    "empty_reply": {
        "en": "The model replied with nothing: it may need a higher --max-tokens.",
        "ko": "모델이 빈 답을 보냈습니다. --max-tokens를 늘려야 할 수 있습니다.",
    },
    "no_sentence": {
        "en": "No sentence of the passages answers the question.",
        "ko": "질문에 답하는 문장이 지문에 없습니다.",
    },
    "nothing_proven": {
        "en": "An answer was given, but none of its quotes could be found in the documents.",
        "ko": "답이 나왔지만 그 인용을 문서에서 하나도 찾지 못했습니다.",
    },
    "nothing_verified": {
        "en": "No sentence of the answer could be verified in full, and only such may be shown (--strict).",
        "ko": "답의 문장 가운데 온전히 확인된 것이 없습니다(--strict는 확인된 것만 보여 줍니다).",
    },
    "addressed_to_model": {
        "en": "A quoted sentence tells its reader or a model what to answer; it does not say what is so.",
        "ko": "인용된 문장 가운데 사실이 아니라 독자나 모델에게 어떻게 답할지를 시키는 문장이 있습니다.",
    },
    "document_outdated": {
        "en": "{file} has changed or is gone since it was indexed: nothing in it counts as found. Run `rag ingest`.",
        "ko": "{file}: 색인된 뒤 바뀌었거나 없어져 확인된 것으로 보지 않습니다. `rag ingest`를 실행하세요.",
    },
    "fewer_passages": {
        "en": "Only {used} of {found} passages fit into the model's context.",
        "ko": "모델의 문맥에 들어가는 지문만 썼습니다({found}개 중 {used}개).",
    },
    "estimated": {
        "en": "The server did not report the tokens; they are estimated.",
        "ko": "서버가 토큰 수를 알려 주지 않아 어림한 값입니다.",
    },
    "cut_reply": {
        "en": "The reply reached its longest allowed length and may be incomplete (--max-tokens).",
        "ko": "답이 허용된 길이에 이르러 끝이 잘렸을 수 있습니다(--max-tokens).",
    },
}


def language_for(question: str, settings: Settings) -> Language:
    """The language that the settings name, else that of the question (English for other languages)."""
    if settings.language != "auto":
        return settings.language
    return "ko" if language_of(question) == "ko" else "en"


def say(key: str, language: Language, **values: object) -> str:
    """The sentence `key` in `language`."""
    return _SENTENCES[key][language].format(**values)
