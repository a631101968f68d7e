"""Everything that pagequote raises on purpose, as one tree.

RagError                    exit code 1: one sentence that names the thing and the fix
├── UsageError              exit code 2: the caller asked for something that cannot be
│   ├── SettingsError       a setting is unknown or has a value it cannot have
│   ├── TemplateError       a prompt template is wrong; knows file and line
│   └── QuestionSetError    a question set is wrong; knows file and line
├── IndexError_             something about the index on disk
│   ├── IndexMissing        there is none where one was expected
│   ├── IndexMismatch       made with other embeddings, chunking or format
│   ├── IndexDamaged        not what its format says
│   ├── IndexLocked         another process is writing it
│   └── IndexReadOnly       it may be read but not written
├── ProviderError           a model or its server; `transient` says whether trying again can help
│   ├── AuthenticationFailed
│   ├── ModelNotFound
│   ├── RateLimited
│   ├── ServerUnreachable
│   ├── ProviderTimeout
│   ├── BadResponse
│   ├── ContextTooLong
│   └── MissingCapability
├── EngineError             what reads and embeds cannot be used: a cluster that is not there, or too small
├── MissingExtra            an optional package is not installed; names the extra
├── NetworkRefused          offline mode refused a connection
└── BudgetReached           exit code 5: the cost cap was met; finished work is kept
"""

from __future__ import annotations

from pathlib import Path


class RagError(Exception):
    """Base of every deliberate error; its text is one sentence meant for a person."""

    exit_code = 1

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders whatever their constructors take."""
        return _restored, (type(self), str(self)), self.__dict__


def _restored(kind: type[RagError], text: str) -> RagError:
    return kind.__new__(kind, text)


class UsageError(RagError):
    """The request itself is wrong."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown or has a value it cannot have."""


class LocatedError(UsageError):
    """An error in a file that a person wrote, with the place in it."""

    def __init__(self, message: str, *, file: str | Path | None = None, line: int | None = None) -> None:
        self.file = str(file) if file is not None else None
        self.line = line
        place = "" if self.file is None else self.file + (f":{line}" if line is not None else "") + ": "
        super().__init__(place + message)


class TemplateError(LocatedError):
    """A prompt template is wrong."""


class QuestionSetError(LocatedError):
    """A question set is wrong."""


class IndexError_(RagError):  # the underscore keeps the builtin IndexError usable
    """Something about the index on disk."""


class IndexMissing(IndexError_):
    """There is no index where one was expected."""


class IndexMismatch(IndexError_):
    """The index was made with another embedding model, chunking or format."""


class IndexDamaged(IndexError_):
    """The index is not what its format says."""


class IndexLocked(IndexError_):
    """Another process is writing the index."""


class IndexReadOnly(IndexError_):
    """The index may be read but not written."""


class ProviderError(RagError):
    """A model, or the server behind it, did not do what was asked."""

    transient = False

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the server asked to wait, when it said so."""


class AuthenticationFailed(ProviderError):
    """The key is missing, wrong or not allowed to do this."""


class ModelNotFound(ProviderError):
    """The server does not know the model."""


class RateLimited(ProviderError):
    """The server asked to slow down."""

    transient = True


class ServerUnreachable(ProviderError):
    """No connection, a connection that broke, or a 5xx answer."""

    transient = True


class ProviderTimeout(ProviderError):
    """The server did not answer in time."""

    transient = True


class BadResponse(ProviderError):
    """The answer is not what the protocol says (broken JSON, wrong dimension, cut stream)."""


class ContextTooLong(ProviderError):
    """The prompt does not fit the model's context window."""

    texts: tuple[str, ...] = ()
    """Of texts that were to be embedded those that are too long; everything else was."""


class MissingCapability(ProviderError):
    """The model cannot do what was asked of it."""


class EngineError(RagError):
    """The machines that read and embed cannot be used."""


class MissingExtra(RagError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: install it with `pip install 'pagequote[{extra}]'`.")
        self.extra = extra


class NetworkRefused(RagError):
    """Offline mode refused a connection that would have left this machine."""


class BudgetReached(RagError):
    """The cost cap was met; everything finished so far is kept."""

    exit_code = 5
