"""The retriever over the sample documents, made once for the tests of a module."""

from __future__ import annotations

from functools import cache

import pytest

from rag.providers.e5 import E5Embeddings
from rag.retrieval.retriever import HybridRetriever
from rag.store import Index


@pytest.fixture(scope="module")
def retriever(sample: Index) -> HybridRetriever:
    return HybridRetriever(index=sample, embed_query=cache(E5Embeddings().embed_query), k=8)
