"""One typed settings model: flags win over the environment, that over `.env`, and `.env` over defaults.

Nothing else in the project reads the environment for its own sake, so `rag doctor` can show every value
that is in force together with where it came from.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError

from rag import index_location
from rag.errors import SettingsError

Origin = Literal["flag", "environment", ".env", "default"]


def _ways(given: Any) -> Any:
    """`rewrite,split` as a tuple without repetitions, in a fixed order; `all` is every way."""
    if not isinstance(given, str):
        return given
    wanted = {part.strip().lower() for part in given.split(",") if part.strip()}
    known = ("rewrite", "hypothetical", "split")
    if "all" in wanted:
        wanted = wanted - {"all"} | {*known}
    return (*(way for way in known if way in wanted), *sorted(wanted - {*known}))


Ways = Annotated[tuple[Literal["rewrite", "hypothetical", "split"], ...], BeforeValidator(_ways)]
Text = str | None
Secret = SecretStr | None
Count = Annotated[int | None, Field(ge=1)]
Amount = Annotated[float | None, Field(ge=0)]


def _variable(name: str, **constraints: Any) -> Any:
    """A field read from an environment variable that is not simply `RAG_` and the field's name."""
    return Field(json_schema_extra={"env": name}, **constraints)


class Settings(BaseModel):
    """Every setting in force. Immutable; `origin(name)` says where a value came from.

    Money is in US dollars, times are in seconds, sizes of chunks and contexts in tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: str = Field(".rag", description="folder of the index, or postgresql://... for one in a database")
    model: Text = Field(None, description="chat model as provider:model; unset: by the keys that are set")
    embeddings: Text = Field(
        None, description="embedding model for a new index; unset: by the keys that are set"
    )
    prompt: str = Field("few-shot", description="prompt template: a name or a YAML file")
    prompts_dir: Text = Field(None, description="folder with templates of your own")
    k: int = Field(8, ge=1, le=1000, description="passages to retrieve")
    glossary: Text = Field(None, description="a YAML file with words people ask with and words pages print")
    expand: Ways = Field(
        (), description="search also for what a chat model writes: rewrite, hypothetical, split, or all"
    )
    rerank: Text = Field(
        None, description="rerank passages: cross-encoder:NAME, flashrank:NAME, or chat; unset: by none"
    )
    rerank_depth: int = Field(30, ge=1, le=1000, description="passages to rerank, the best first")
    language: Literal["auto", "en", "ko"] = Field(
        "auto", description="language of prompts, answers and reports"
    )
    strict: bool = Field(False, description="withhold what is not verified")
    vision: bool = Field(False, description="show the chat model pictures of the best pages")
    check: str = Field(
        "model",
        description="who checks what rules leave open: model (the one that answers), off, provider:model for a chat"
        " model, or hf:NAME for a local entailment model",
    )
    abstain: float | None = Field(
        None, ge=0, le=1, description="evidence score below which to decline; unset: the calibrated one"
    )

    chunk_tokens: int = Field(220, ge=32, le=480, description="largest chunk, in tokens")
    chunk_overlap: int = Field(0, ge=0, le=200, description="tokens that neighbouring chunks share")
    workers: Count = Field(None, description="processes that read files; unset: one for each core")
    threads: Count = Field(None, description="threads for the built-in embeddings; unset: one for each core")
    engine: Literal["local", "ray"] = Field("local", description="what reads and embeds: local or ray")
    ray_address: Text = Field(None, description="address of a Ray cluster; unset: one on this machine")
    cache_dir: Text = Field(None, description="where the converted built-in model is kept")

    temperature: float | None = Field(
        None, ge=0, le=2, description="sampling temperature; unset: the template's"
    )
    max_tokens: Count = Field(None, description="longest reply, in tokens; unset: the template's")
    context_tokens: Count = Field(None, description="tokens of passages in a prompt; unset: by the model")
    timeout: float | None = Field(
        None, gt=0, description="seconds that one try waits for a model's server; unset: half the patience"
    )
    patience: float | None = Field(
        None,
        gt=0,
        description="seconds that all tries of a call take together; unset: 60, and 300 for a server on this machine",
    )
    retries: int = Field(6, ge=0, le=20, description="tries again after a transient failure")
    rpm: Count = Field(None, description="requests a minute, at most")
    tpm: Count = Field(None, description="tokens a minute, at most")
    max_cost: Amount = Field(None, description="cost cap of one command in US dollars")
    prices: Text = Field(None, description="a TOML file with prices that win over the shipped ones")
    cache: bool = Field(False, description="answer identical calls at temperature 0 from a local cache")
    offline: bool = Field(False, description="refuse every connection that leaves this machine")
    debug: bool = Field(False, description="show tracebacks")

    base_url: Text = Field(None, description="address of an OpenAI-compatible server")
    api_key: Secret = Field(None, description="key of the OpenAI-compatible server, when it wants one")
    openai_api_key: Secret = _variable("OPENAI_API_KEY", default=None, description="OpenAI's key")
    openai_base_url: Text = _variable(
        "OPENAI_BASE_URL", default=None, description="another address for OpenAI"
    )
    azure_openai_api_key: Secret = _variable(
        "AZURE_OPENAI_API_KEY", default=None, description="Azure OpenAI's key"
    )
    azure_openai_endpoint: Text = _variable(
        "AZURE_OPENAI_ENDPOINT", default=None, description="Azure OpenAI's endpoint"
    )
    openai_api_version: Text = _variable(
        "OPENAI_API_VERSION", default=None, description="Azure OpenAI's API version"
    )

    ui_password: Secret = Field(
        None, description="password of `rag ui`; needed when other machines can reach it"
    )
    server_key: Secret = Field(
        None,
        description="key that clients of `rag serve` and `rag mcp --http` send; needed beyond this machine",
    )

    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    def origin(self, name: str) -> Origin:
        """Where the value of the setting `name` came from."""
        return self._origins.get(name, "default")

    def secrets(self) -> list[str]:
        """The values that must never be written anywhere, for scrubbing messages."""
        values = (getattr(self, name) for name in type(self).model_fields)
        keys = [v.get_secret_value() for v in values if isinstance(v, SecretStr)]
        addresses = (self.base_url, self.openai_base_url, self.azure_openai_endpoint)
        inside = [password for url in addresses for password in index_location.address_passwords(url or "")]
        return keys + index_location.passwords_in(self.index) + inside

    @property
    def folder(self) -> Path:
        """The folder for what is kept beside the index: its own, or one of the user's for a database."""
        return index_location.state_folder(self.index)

    @property
    def shown_index(self) -> str:
        """The index without a password."""
        return index_location.redacted(self.index)


def variable_of(name: str) -> str:
    """The environment variable of a setting: `RAG_` and its name in capitals, or the vendor's own."""
    extra = Settings.model_fields[name].json_schema_extra
    return str(extra["env"]) if isinstance(extra, dict) and "env" in extra else f"RAG_{name.upper()}"


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    dotenv_path: str | Path | None = ".env",
) -> Settings:
    """Merge flags, environment, `.env` and defaults into checked settings.

    `flags` maps setting names to values; a None value means that the flag was not given. `env` stands in for
    `os.environ`. `dotenv_path=None` reads no file.

    Raises SettingsError for an unknown `RAG_` variable, with the nearest name, and for an impossible value.
    """
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    for origin, layer in _layers(flags or {}, os.environ if env is None else env, dotenv_path):
        values.update(layer)
        origins.update(dict.fromkeys(layer, origin))
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, origins)) from None  # the cause would print a secret's input
    settings._origins.update(origins)
    return settings


def _layers(
    flags: Mapping[str, object], env: Mapping[str, str], dotenv_path: str | Path | None
) -> Iterator[tuple[Origin, dict[str, object]]]:
    """The layers from weakest to strongest."""
    yield ".env", _from_variables(_read_dotenv(dotenv_path), where=str(dotenv_path))
    yield "environment", _from_variables(env, where="the environment")
    given = {name: value for name, value in flags.items() if value is not None}
    for name in given:
        _check_known(name, Settings.model_fields, "setting")
    yield "flag", given


def _read_dotenv(path: str | Path | None) -> dict[str, str]:
    if path is None or not Path(path).is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return {name: value or "" for name, value in dotenv_values(path).items()}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({error}): save it as UTF-8 text.") from None


def _from_variables(variables: Mapping[str, str], *, where: str) -> dict[str, object]:
    names = {variable_of(name): name for name in Settings.model_fields}
    for variable in variables:
        if variable.startswith("RAG_"):
            _check_known(variable, names, f"variable in {where}")
    # `RAG_MODEL=` in a file means "not set", as people expect of a template with blanks
    return {
        names[variable]: value for variable, value in variables.items() if variable in names and value.strip()
    }


def _check_known(name: str, known: Mapping[str, object], what: str) -> None:
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else "`rag doctor` lists those that exist."
        raise SettingsError(f"{name} is not a known {what}: {hint}")


def _explain(error: ValidationError, origins: Mapping[str, Origin]) -> str:
    """One sentence about the first wrong value; it never repeats what may be a secret."""
    first = error.errors(include_input=True, include_url=False)[0]
    name = str(first["loc"][0])
    origin = origins.get(name, "default")
    shown = f"--{name.replace('_', '-')}" if origin == "flag" else variable_of(name)
    value = "" if "key" in name or "password" in name else f" cannot be {first['input']!r}"
    return (
        f"{shown} (from {'the command line' if origin == 'flag' else origin}){value}: {first['msg'].lower()}."
    )
