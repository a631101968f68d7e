"""Other processes of the tests: `python -m tests.store.worker COMMAND LOCATION ...`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rag.errors import RagError
from rag.store import copy_index, open_index
from tests.store import corpus


def say(*words: object) -> None:
    print(*words, flush=True)


def ingest(location: str, count: str, paid: str) -> None:
    """Ingest `count` generated documents as an ingestion does, resuming; note every text paid for in `paid`."""
    with open_index(location, create=corpus.spec()) as index, index.writer() as writer:
        say("ready")
        for number, item in enumerate(corpus.generated(int(count))):
            known = writer.document(item.record.file)
            if known is not None and known.content_hash == item.record.content_hash:
                continue
            texts = [chunk.indexed_text for chunk in item.chunks]
            missing = [text for place, text in enumerate(texts) if place not in writer.cached_vectors(texts)]
            if missing:
                with Path(paid).open("a", encoding="utf-8") as file:
                    file.writelines(f"{json.dumps(text)}\n" for text in missing)
                writer.cache_vectors(missing, corpus.embed(missing))
            cached = writer.cached_vectors(texts)
            writer.put(item, [cached[place] for place in range(len(texts))])
            if number % 4 == 3:
                writer.publish()
    say("done")


def hold(location: str) -> None:
    """Hold the writer's lock until standard input ends."""
    with open_index(location) as index, index.writer():
        say("ready")
        sys.stdin.read()


def replace_all(location: str, rounds: str) -> None:
    """Replace every document again and again: in round n each page says so. Input starts a round."""
    with open_index(location, create=corpus.spec()) as index, index.writer() as writer:
        for number in range(int(rounds)):
            for name in ("a.pdf", "b.pdf", "c.pdf"):
                item = corpus.document(name, [f"round{number} {name} wharf page {page}" for page in range(3)])
                writer.put(item, corpus.vectors_of(item))
            writer.publish()
            say("round", number)
            sys.stdin.readline()


def ask(*locations: str) -> None:
    """Answer from each index every way there is; print for each a line with the answers or the error."""
    for location in locations:
        notices: list[str] = []
        try:
            with open_index(location, notify=notices.append) as index:
                answers = {
                    "dense": [
                        hit.chunk_id for hit in index.search_dense(corpus.question("harbour mooring fees"), 3)
                    ],
                    "keywords": [hit.chunk_id for hit in index.search_keywords(["harbour", "mooring"], 3)],
                    "pages": [(hit.file, hit.page) for hit in index.search_pages(["harbour", "mooring"], 3)],
                    "chunks": index.counts().chunks,
                }
            say(json.dumps({"answers": answers, "notices": notices}))
        except RagError as error:
            say(json.dumps({"error": type(error).__name__, "text": str(error), "notices": notices}))


def ask_as_nobody(location: str, other: str) -> None:
    """As `ask`, but for root: as a user who may write nothing."""
    import os

    ask(other)  # imports what Python may be unable to reach afterwards
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    ask(location)


def write_limited(location: str, limit: str) -> None:
    """Ingest while no file may grow beyond `limit` bytes, as on a full disk."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        with open_index(location, create=corpus.spec()) as index, index.writer() as writer:
            for item in corpus.generated(60, pages=8):
                writer.put(item, corpus.vectors_of(item))
        say(json.dumps({"error": None}))
    except RagError as error:
        say(json.dumps({"error": type(error).__name__, "text": str(error)}))


def copy(origin: str, target: str) -> None:
    """Copy an index, saying so for every step."""

    def track(items, label):
        for item in items:
            say(label)
            yield item

    copy_index(origin, target, track=track)
    say("done")


if __name__ == "__main__":
    commands = {f.__name__: f for f in (ingest, hold, replace_all, ask, ask_as_nobody, write_limited, copy)}
    commands[sys.argv[1]](*sys.argv[2:])
