"""Train the networks of `rag/answering/answer_head.py` on one processor core.

    python benchmarks/train_answer_head.py --help-pages DIR --questions INDEX FILE [...] --entailment FILE [...]

It learns from pairs of a question and a sentence, the sentence read in its passage by the built-in encoder:

- `benchmarks/answer_head/*.txt`: 49 kinds of things in English and Korean. Each line states one attribute in two ways
  and asks for it in others; a made-up document states some of the attributes and is asked for others too.
- `--help-pages`: GNOME's user help (Debian's gnome-user-docs, `usr/share/help`). The title of a page asks, its
  one-line description answers, those of its sibling pages do not.
- `--questions`: question sets over an index that `rag ingest` made. The sentence with the gold answer against those
  of its page that share most words with the question, and the question about another year or name.
- `--entailment`: JSON Lines with premise, hypothesis, label. A second output of the network, not used afterwards.

The kinds of sources are drawn in fixed shares, and two pairs of five are positive, so that no source is learned by
its base rate. The weights that are shipped were trained by an earlier form of this script on the same sources: for
1,078, 1,296 and 2,227 steps, the first without a fifth of the kinds of things and guides, to see how it does on those
(AUROC 0.965). Needs PyTorch. Writes `rag/answering/answer_head.npz` or `--out`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from fit_sentences import holds_answer
from made_up import documents
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rag.answering.answer_head import LONGEST, SHARPNESS, WEIGHTS
from rag.answering.candidates import candidates
from rag.evaluation.drafts import ask_about
from rag.evaluation.question_sets import load_questions
from rag.providers.e5 import E5Embeddings
from rag.store import open_index

WIDTH, HIDDEN = 192, 384
BATCH, RATE, DECAY, DROPOUT, POSITIVE = 64, 1e-3, 0.05, 0.15, 0.4
SHARES = {"made up, en": 0.17, "made up, ko": 0.17, "help, C": 0.12, "help, ko": 0.14}
QUESTIONS_SHARE, ENTAILMENT_SHARE = 0.13, 0.14
"""How often a pair is drawn from each source; the question sets have a share each."""
_MALLARD = "{http://projectmallard.org/1.0/}"
_YEAR = re.compile(r"\b(?:1[0-9]|20)\d\d\b")
_NAME = re.compile(r"(?<!^)\b[A-Z][a-z]{2,}(?: [A-Z][a-z]+)*\b")

Array = NDArray[np.float16]


@dataclass(frozen=True)
class Read:
    """A passage, its sentences, and what is asked of it."""

    source: str
    header: str
    text: str
    spans: Sequence[tuple[int, int]]
    asked: Sequence[tuple[str, int | None, Sequence[int]]]
    """Question, the sentence that answers it, those that do not."""


@dataclass(frozen=True)
class Pair:
    question: Array
    sentence: Array
    answers: bool
    output: int = 0


def made_up(language: str, count: int, chance: random.Random) -> Iterator[Read]:
    for header, sentences, asked in documents(language, count, chance):
        text, spans = _joined(sentences, chance.choice(" \n\n  "))
        yield Read(f"made up, {language}", header, text, spans, [_of(*a, len(spans), chance) for a in asked])


def help_pages(root: Path, language: str, count: int, chance: random.Random) -> Iterator[Read]:
    """Descriptions of pages of one guide as a document, with the titles of these and of others as questions."""
    guides: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for file in sorted((root / language).glob("*/*.page")):
        page = ET.parse(file).getroot()
        title, said = page.find(f"{_MALLARD}title"), page.find(f"{_MALLARD}info/{_MALLARD}desc")
        link = page.find(f"{_MALLARD}info/{_MALLARD}link")
        if title is not None and said is not None:
            texts = (" ".join("".join(e.itertext()).split()) for e in (title, said))
            guides[link.get("xref", "").partition("#")[0] if link is not None else ""].append(tuple(texts))
    large = [pages for pages in guides.values() if len(pages) >= 4]
    for _ in range(count):
        pages = chance.choices(large, [len(p) for p in large])[0]
        pages = chance.sample(pages, min(len(pages), 9))
        stated = max(2, min(6, len(pages) - 2))
        text, spans = _joined([said.rstrip(".") + "." for _, said in pages[:stated]], chance.choice(" \n"))
        asked = [(title, i) for i, (title, _) in enumerate(pages[:3]) if i < stated]
        asked += [(title, None) for title, _ in pages[stated : stated + 2]]
        yield Read(f"help, {language}", "", text, spans, [_of(*a, len(spans), chance) for a in asked])


def questions(index: str, file: str, chance: random.Random) -> Iterator[Read]:
    """Passages of the gold pages with their questions, drafts from their sentences, and swapped questions."""
    known = [q for q in load_questions(file) if q.answerable and q.evidence]
    with open_index(index) as opened:
        snapshot = opened.snapshot()
        for question in known:
            gold = question.evidence[0]
            for passage in snapshot.passages(snapshot.chunks_of_page(gold.file, gold.page)):
                found = candidates([passage])
                own = _words(question.question)
                order = sorted(range(len(found)), key=lambda i: -len(own & _words(found[i].text)))
                right = [i for i in order if holds_answer(question, found[i].text)]
                wrong = [i for i in order if i not in right]
                near = wrong[:3] + chance.sample(wrong[3:], min(1, len(wrong[3:])))
                asked = [(question.question, right[0] if right else None, near)]
                other = chance.choice(known).question
                if right and (swapped := _swapped(question.question, other, chance)):
                    asked.append((swapped, None, right[:1]))
                for i, candidate in enumerate(found[:5]):
                    if draft := ask_about(candidate.text):
                        asked.append((draft.question, i, [j for j in range(len(found)) if j != i][:4]))
                spans = [(c.start, c.start + len(c.text)) for c in found]
                yield Read(f"questions {file}", passage.header, passage.text, spans, asked)


def entailment(file: str, count: int, chance: random.Random) -> Iterator[Read]:
    """As many entailed hypotheses as neutral ones and as contradictions."""
    lines = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    chance.shuffle(lines)
    for label in ("entailment", "neutral", "contradiction"):
        for line in [line for line in lines if line["label"] == label][: count // 3]:
            entailed = label == "entailment"
            asked = (line["hypothesis"], 0 if entailed else None, [] if entailed else [0])
            yield Read("entailment", "", line["premise"], [(0, len(line["premise"]))], [asked])


def pairs(read: Iterable[Read], embedder: E5Embeddings) -> dict[str, list[Pair]]:
    """The middle states of question and sentence, by source."""
    result: dict[str, list[Pair]] = defaultdict(list)
    states: dict[str, Array] = {}
    for one in read:
        head = f"{one.header}\n" if one.header else ""
        tokens = embedder.embed_tokens([head + one.text])[0]
        middle = tokens.middle.astype(np.float16)
        sentences = [
            middle[[a >= start - 1 and start < b <= end for a, b in tokens.offsets]]
            for start, end in ((len(head) + a, len(head) + b) for a, b in one.spans)
        ]
        for question, right, wrong in one.asked:
            if question not in states:
                states[question] = embedder.embed_tokens([question], kind="query")[0].middle.astype(
                    np.float16
                )
            for i in [*([] if right is None else [right]), *wrong]:
                if len(sentences[i]) and len(states[question]):
                    answers, output = i == right, int(one.source == "entailment")
                    result[one.source].append(Pair(states[question], sentences[i][:LONGEST], answers, output))
    return result


class Head(nn.Module):
    """The network in PyTorch; the names of its parameters are those of the stored weights."""

    def __init__(self, states: NDArray[np.float32]) -> None:
        """Both sides start with the `states` whitened: they share a large part that says nothing about a word."""
        super().__init__()
        self.pq, self.ps = nn.Linear(HIDDEN, WIDTH), nn.Linear(HIDDEN, WIDTH)
        self.nq, self.ns = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.cq, self.cs = nn.Linear(4 * WIDTH, WIDTH), nn.Linear(3 * WIDTH, WIDTH)
        self.gate, self.w = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 1)
        self.o1, self.o2 = nn.Linear(4 * WIDTH, WIDTH), nn.Linear(WIDTH, 2)
        mean = states.mean(0)
        values, vectors = np.linalg.eigh(np.cov((states - mean).T))
        values, vectors = values[::-1][:WIDTH], vectors[:, ::-1][:, :WIDTH]
        whitening = (vectors / np.sqrt(values + 0.3 * values[WIDTH // 2])).T
        for side in (self.pq, self.ps):
            side.weight.data = torch.tensor(whitening.copy(), dtype=torch.float)
            side.bias.data = torch.tensor(-whitening @ mean, dtype=torch.float)

    def forward(self, q: Tensor, q_is: Tensor, s: Tensor, s_is: Tensor) -> Tensor:
        """Log-odds [pairs, 2] of questions [pairs, tokens, 384] and sentences, padded."""

        def drop(x: Tensor) -> Tensor:
            return functional.dropout(x, DROPOUT, self.training)

        def softmax(x: Tensor, kept: Tensor, axis: int) -> Tensor:
            return x.masked_fill(~kept, -1e4).softmax(axis)

        q, s = drop(self.nq(self.pq(q))), drop(self.ns(self.ps(s)))
        near = q @ s.transpose(1, 2) * (SHARPNESS / math.sqrt(WIDTH))
        found = softmax(near, s_is[:, None, :], -1) @ s
        compared = functional.gelu(self.cq(torch.cat([q, found, q * found, (q - found).abs()], -1)))
        whole = (softmax(self.gate(q), q_is[..., None], 1) * q).sum(1, keepdim=True)
        met = softmax(near.transpose(1, 2), q_is[:, None, :], -1) @ q
        said = functional.gelu(self.cs(torch.cat([s, s * whole, met], -1)))
        weighed = (softmax(self.w(compared), q_is[..., None], 1) * compared).sum(1)
        mean_q = (compared * q_is[..., None]).sum(1) / q_is.sum(1, keepdim=True)
        mean_s = (said * s_is[..., None]).sum(1) / s_is.sum(1, keepdim=True)
        most = said.masked_fill(~s_is[..., None], -1e4).max(1)[0]
        return self.o2(drop(functional.gelu(self.o1(torch.cat([weighed, mean_q, most, mean_s], -1)))))


def batches(
    known: dict[str, list[Pair]], shares: dict[str, float], chance: random.Random
) -> Iterator[list[Pair]]:
    """Batches of pairs of like length, without end."""
    split = {s: ([p for p in ps if p.answers], [p for p in ps if not p.answers]) for s, ps in known.items()}
    while True:
        drawn = []
        for source in chance.choices(list(split), [shares[s] for s in split], k=8 * BATCH):
            right, wrong = split[source]
            drawn.append(chance.choice(right if chance.random() < POSITIVE else wrong))
        drawn.sort(key=lambda pair: len(pair.sentence) + 4 * chance.random())
        ready = [drawn[i : i + BATCH] for i in range(0, len(drawn), BATCH)]
        chance.shuffle(ready)
        yield from ready


def train(known: dict[str, list[Pair]], shares: dict[str, float], steps: int, seed: int) -> Head:
    torch.manual_seed(seed)
    chance = random.Random(seed)
    some = [p.sentence for ps in known.values() for p in chance.sample(ps, min(400, len(ps)))]
    head = Head(np.concatenate(some).astype(np.float32))
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    losses: list[float] = []
    for step, batch in enumerate(islice(batches(known, shares, chance), steps)):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50) * max(0.02, 1 - step / steps)
        q, q_is = _padded([pair.question for pair in batch])
        s, s_is = _padded([pair.sentence for pair in batch])
        q_is &= (torch.rand(q_is.shape) > 0.1) | (
            q_is.sum(1, keepdim=True) <= 4
        )  # no single word is relied on
        q_is[:, 0] = True
        odds = head(q, q_is, s, s_is)[torch.arange(len(batch)), torch.tensor([p.output for p in batch])]
        wanted = torch.tensor([float(pair.answers) for pair in batch])
        loss = functional.binary_cross_entropy_with_logits(odds, wanted)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 100 == 99:
            print(step + 1, f"loss {np.mean(losses[-100:]):.3f}", f"{time.process_time():.0f} s", flush=True)
    return head


def _padded(states: Sequence[Array]) -> tuple[Tensor, Tensor]:
    filled = torch.zeros(len(states), max(map(len, states)), HIDDEN)
    for row, own in zip(filled, states, strict=True):
        row[: len(own)] = torch.from_numpy(own.astype(np.float32))
    lengths = torch.tensor([len(own) for own in states])
    return filled, torch.arange(filled.shape[1])[None] < lengths[:, None]


def _joined(sentences: Sequence[str], between: str) -> tuple[str, list[tuple[int, int]]]:
    spans, start = [], 0
    for sentence in sentences:
        spans.append((start, start + len(sentence)))
        start += len(sentence) + len(between)
    return between.join(sentences), spans


def _of(
    question: str, right: int | None, count: int, chance: random.Random
) -> tuple[str, int | None, list[int]]:
    wrong = [i for i in range(count) if i != right]
    return question, right, chance.sample(wrong, min(4, len(wrong)))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{4,}", text.lower()))


def _swapped(question: str, other: str, chance: random.Random) -> str | None:
    """The question about another year, or about a name of the other question."""
    if years := _YEAR.findall(question):
        return question.replace(years[0], str(int(years[0]) + chance.choice([-3, -2, -1, 1, 2, 3])))
    own, names = _NAME.findall(question), [n for n in _NAME.findall(other) if n not in question]
    return question.replace(chance.choice(own), chance.choice(names)) if own and names else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--help-pages", type=Path, required=True)
    parser.add_argument("--questions", nargs=2, action="append", default=[], metavar=("INDEX", "FILE"))
    parser.add_argument("--entailment", action="append", default=[])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the documents to make, for a trial"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="a network each")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    chance = random.Random(given.seeds[0])
    read: list[Read] = []
    for language, count in (("en", 1500), ("ko", 1300)):
        read += made_up(language, int(count * given.scale), chance)
    for language in ("C", "ko"):
        read += help_pages(given.help_pages, language, int(700 * given.scale), chance)
    for index, file in given.questions:
        read += questions(index, file, chance)
    for file in given.entailment:
        read += entailment(file, int(3000 * given.scale), chance)
    known = pairs(read, E5Embeddings(threads=1))
    print({source: len(own) for source, own in known.items()}, flush=True)
    shares = SHARES | {f"questions {file}": QUESTIONS_SHARE for _, file in given.questions}
    stored: dict[str, Array] = {}
    for number, seed in enumerate(given.seeds):
        head = train(known, shares | {"entailment": ENTAILMENT_SHARE}, given.steps, seed)
        for name, values in head.state_dict().items():
            stored[f"{number}.{name}"] = values.numpy().astype(np.float16)
    np.savez(given.out, **stored)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
