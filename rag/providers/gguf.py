"""A GGUF file run in this process: llama.cpp behind its own OpenAI-compatible server on loopback.

The server applies the chat template of the file, takes a random free port and a random key (others on this
machine cannot use it), and stops with the program.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from rag.errors import MissingExtra, ModelNotFound, ProviderError
from rag.providers.openai import connect_chat_at, connect_embeddings_at
from rag.providers.specs import ChatConnection, EmbeddingConnection, Spec
from rag.settings import Settings

_CONTEXT_TOKENS = 8_192
"""Window that is opened: enough for the prompts here, while all of a large model's may not fit into memory."""
_BATCH_TOKENS = 2_048
_TIMEOUT = 1_800.0
"""Seconds that a try may take, unless the settings say otherwise: a slow or busy processor reads a long prompt for
many minutes, and another try would begin from its start."""
_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class _Running:
    server: Any
    url: str
    key: str
    context_tokens: int


_running: dict[tuple[Path, bool], _Running] = {}
"""By file, and whether it embeds."""
_lock = threading.Lock()


def connect_chat(spec: Spec, settings: Settings) -> ChatConnection:
    """Load the file that is the model's name, or use it when it is loaded already.

    Raises ModelNotFound when the file is missing or no GGUF, MissingExtra without xllamacpp, ProviderError
    when it cannot be loaded.
    """
    path, running, own = _served(spec.model, settings, embeds=False)
    url = f"{running.url}/v1"
    return connect_chat_at(url, spec, path.name, own, context_tokens=running.context_tokens)


def connect_embeddings(spec: Spec, settings: Settings) -> EmbeddingConnection:
    """Load the file `model` for embeddings. Its vectors are pooled as it says, or else averaged. Raises as above."""
    path, running, own = _served(spec.model, settings, embeds=True)
    return connect_embeddings_at(f"{running.url}/v1", spec, path.name, own)


def _served(model: str, settings: Settings, *, embeds: bool) -> tuple[Path, _Running, Settings]:
    """The file, its server, and settings with the server's key and patience."""
    path = Path(model).expanduser().resolve()
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ModelNotFound(
            f"The model file {model} cannot be read ({error.strerror}): check the path."
        ) from None
    if magic != _MAGIC:
        raise ModelNotFound(f"{model} is not a GGUF file: give the path of a model in that format.")
    with _lock:
        if (path, embeds) not in _running:
            _running[path, embeds] = _start(path, settings.threads, embeds)
        running = _running[path, embeds]
    patient = settings.timeout or settings.patience or _TIMEOUT
    return path, running, settings.model_copy(update={"api_key": SecretStr(running.key), "timeout": patient})


def _start(path: Path, threads: int | None, embeds: bool) -> _Running:
    try:
        import xllamacpp
    except ImportError:
        raise MissingExtra("xllamacpp", "gguf", f"gguf:{path.name}") from None
    key = secrets.token_urlsafe(24)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = _CONTEXT_TOKENS
    parameters.n_parallel = 1  # slots share the window: with one, a prompt may use all of it
    parameters.cpuparams.n_threads = threads or os.cpu_count() or 1
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [key]
    parameters.use_jinja = True  # the chat template of the file
    parameters.ui = False
    parameters.warmup = False
    parameters.verbosity = -1
    if embeds:
        parameters.embedding = True
        parameters.n_batch = parameters.n_ubatch = (
            _BATCH_TOKENS  # a text to be pooled must fit into one batch
        )
    running = _serve(xllamacpp, parameters, path, key)
    if embeds and not _pools(running):  # the file is of a chat model, which says nothing of pooling
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        running = _serve(xllamacpp, parameters, path, key)
    return running


def _serve(xllamacpp: Any, parameters: Any, path: Path, key: str) -> _Running:
    try:
        server = xllamacpp.Server(parameters)
    except Exception as error:  # noqa: BLE001  the binding raises whatever llama.cpp says
        raise ProviderError(f"The model {path.name} cannot be loaded: {str(error)[:200]}.") from None
    url = str(server.listening_address)
    # the window that the server really has: a model trained on a shorter one gets no more
    context = int(_get(url, key, "/props")["default_generation_settings"]["n_ctx"])
    return _Running(server, url, key, context)


def _pools(running: _Running) -> bool:
    """Whether the server makes one vector of a text."""
    body = json.dumps({"model": "", "input": "a"}).encode()
    try:
        _get(running.url, running.key, "/v1/embeddings", body)
    except urllib.error.HTTPError:
        return False
    return True


def _get(url: str, key: str, path: str, body: bytes | None = None) -> Any:
    """What the server says as JSON; with a body the request is a POST. Raises urllib's HTTPError."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}{path}", body, headers)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


@atexit.register
def stop_all() -> None:
    """Stop every server. Their destructors do the work; at exit they must run before the interpreter is gone."""
    with _lock:
        _running.clear()
