"""The sentences that a search with a model's help carries for its reader, in the language of the question."""

from __future__ import annotations

from collections.abc import Sequence

from rag.retrieval.model_calls import ModelStep
from rag.text.language import language_of

_SENTENCES = {
    "rewrite_unread": {
        "en": "The model's reply held no other wording of the question; the search went on without.",
        "ko": "모델의 답에서 질문을 달리 쓴 말을 찾지 못해 그것 없이 찾았습니다.",
    },
    "hypothetical_unread": {
        "en": "The model's reply held no passage that could answer the question; the search went on without.",
        "ko": "모델의 답에서 질문에 답할 만한 구절을 찾지 못해 그것 없이 찾았습니다.",
    },
    "split_unread": {
        "en": "The model's reply held no parts of the question; it was searched for as a whole.",
        "ko": "모델의 답에서 나눈 질문을 찾지 못해 질문 전체로 찾았습니다.",
    },
    "rerank_unread": {
        "en": "The model's ratings of the passages could not be read; their order was kept.",
        "ko": "모델이 구절에 매긴 점수를 읽을 수 없어 순서를 그대로 두었습니다.",
    },
    "searched_too": {"en": "Also searched for: {queries}", "ko": "함께 찾은 말: {queries}"},
    "tokens": {"en": "{input:,} + {output:,} tokens, ", "ko": "토큰 {input:,} + {output:,}개, "},
    "price_unknown": {"en": "price unknown, ", "ko": "값을 모름, "},
    "cached": {"en": "{cached} from the cache, ", "ko": "{cached}개는 캐시에서, "},
    "seconds": {"en": "{seconds:.1f} s", "ko": "{seconds:.1f}초"},
}
_STEPS = {
    "rewrite": {"en": "Rewriting", "ko": "달리 쓰기"},
    "hypothetical": {"en": "Hypothetical answer", "ko": "가상의 답"},
    "split": {"en": "Splitting", "ko": "질문 나누기"},
    "rerank": {"en": "Reranking", "ko": "다시 순위 매기기"},
}


def say(key: str, question: str, **values: object) -> str:
    """The sentence `key` in the language of `question` (English for other languages)."""
    return _SENTENCES[key][_language(question)].format(**values)


def searched_too(queries: Sequence[str], question: str) -> str:
    return say("searched_too", question, queries=" · ".join(queries))


def model_step_note(model_step: ModelStep, question: str) -> str:
    """What a step took: the model, its tokens and their price when it bills any, and the time."""
    usage = model_step.usage
    text = f"{_STEPS[model_step.step][_language(question)]} ({model_step.model}): "
    if usage.calls:
        text += say("tokens", question, input=usage.input_tokens, output=usage.output_tokens)
        price = usage.cost_usd
        text += say("price_unknown", question) if price is None else f"${price:.4f}, "
    if usage.cached_calls:
        text += say("cached", question, cached=usage.cached_calls)
    return text + say("seconds", question, seconds=model_step.seconds)


def _language(question: str) -> str:
    return "ko" if language_of(question) == "ko" else "en"
