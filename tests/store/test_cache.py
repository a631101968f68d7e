"""The embedding cache on its own: many processes, beside a writer, for good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rag.errors import IndexMissing
from rag.store import Index, open_cache
from tests.store import corpus
from tests.store.processes import start

TEXTS = ["one", "두 번째", "three"]


def test_it_is_used_while_another_process_writes(
    index: Index, location: Path, fill: Callable[..., None]
) -> None:
    fill([corpus.document("a.pdf", ["one"])])
    holder = start("hold", location)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    with open_cache(location) as first, open_cache(location) as second:
        first.cache_vectors(TEXTS[1:], corpus.embed(TEXTS[1:]))
        second.cache_vectors(TEXTS, corpus.embed(TEXTS))
        assert sorted(second.cached_vectors([*TEXTS, "four", TEXTS[0]])) == [0, 1, 2, 4]
    holder.communicate()
    assert holder.returncode == 0
    with index.writer() as writer:
        found = writer.cached_vectors(TEXTS)
    unit = corpus.embed(TEXTS) / np.linalg.norm(corpus.embed(TEXTS), axis=1, keepdims=True)
    assert np.allclose([found[place] for place in range(3)], unit, atol=1e-6)
    assert index.verify() == []


def test_many_processes_at_once_keep_everything(index: Index, location: Path) -> None:
    workers = [start("remember", location, number, 40) for number in range(3)]
    for worker in workers:
        _, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
    with open_cache(location) as cache:
        texts = [f"text {number}-{n}" for number in range(3) for n in range(40)]
        assert len(cache.cached_vectors([*texts, "shared"])) == len(texts) + 1


def test_without_an_index_there_is_no_cache(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="rag ingest"), open_cache(tmp_path / "none"):
        pass
