"""Sentences of a document that speak to the model that reads it.

Such a sentence may well stand on its page, so a quote of it is found; but it is no evidence for what it orders the
model to say. An answer that rests on it is never shown as verified.
"""

from __future__ import annotations

import re

_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,30}"
    r"\b(?:instructions?|rules|prompts?|passages?|questions?|the above|previous|everything)\b"
    r"|\b(?:assistant|chatbot|ai)\b\s(?:must|should|shall|is to)\s(?:answer|reply|respond|say|state|tell|approve)"
    r"|\b(?:note|message|instructions?) (?:to|for) (?:the |any )?(?:assistant|model|ai|chatbot)\b"
    r"|\b(?:system|hidden) prompt\b|\byou are now\b|\btell the user\b|\bstop reading here\b"
    r"|\bfrom now on\b.{0,40}\b(?:answer|reply|respond|say)\b|\banswer every question\b"
    r"|\bcite (?:this|it|them) (?:as|so)\b|\bcorrect answer is\b"
    r"|\b(?:mark|append|end|begin)\b.{0,40}\bverified\b|\band say verified\b"
    r"|(?:지시|규칙|지문|질문|위 내용|대화|명령)[을를은는]?\s*(?:모두|전부|다|잠시)?\s*(?:무시하|무시해|잊어|읽지 말)"
    r"|(?:라고|다고)\s*(?:만\s*)?(?:답하|대답하|안내하|출력하)(?:라|세요|십시오|시오|여라)"
    r"|(?:라고|다고)\s*(?:말해라|말하라|써라|쓰라|답할 것|말할 것|쓸 것)"
    r"|(?:라고|다고)\s*(?:이야기|말|답|설명|인용)해\s?(?:줘|주세요|주십시오|라)"
    r"|\[\s*\d{1,3}[^\]\n]{0,12}[::]\s*[\"“「'‘]|<\|\w|\[/?INST\]|</?(?:passages?|tool_call)\b"  # our own markup
    r"|(?:시스템|숨겨진) 프롬프트|너는 이제|모든 질문에",
    re.IGNORECASE,
)


def gives_orders(text: str) -> bool:
    """Whether the text tells a model what to do or to say, or is made to look like a model's own words."""
    return bool(_ORDERS.search(text))
