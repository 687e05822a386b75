"""What a command can be told: by a flag, a SPEX_ variable, a key of spex.toml, in this order of precedence.

One name serves all three: `--step-tokens`, `SPEX_STEP_TOKENS`, `step_tokens = …`. Every value is
checked here, whichever way it came, and a refusal names where it came from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TypeVar

from pydantic import Field, PrivateAttr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from spex.answer import Aggregate
from spex.cli.server_settings import ServerSettings
from spex.cli.values import Real, Table, Whole, Words
from spex.errors import InputError

_PREFIX = "SPEX_"
_DEFAULT_FILE = Path("spex.toml")
_LIBRARY_NAMES = {"step_tokens_max": "step_tokens", "stop_early": "stop"}


class SharedSettings(BaseSettings):
    """What every command that searches can be told. In a field, `description` says what is allowed."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=_PREFIX, env_prefix_target="all", env_ignore_empty=True, extra="forbid", frozen=True
    )

    search: str = Field("rebase", title="the search", description="a name that `spex searches` lists")
    set_: Table = Field({}, alias="set", title="a parameter of the search", description="key=value, repeatable")
    answer_rule: Literal["weighted", "majority", "best"] | None = Field(
        None, title="how the answers vote, if not as the search has it", description="one of weighted, majority, best"
    )
    aggregate: Aggregate = Field(
        "last", title="a terminal's score from its path's rewards", description="one of last, min, prod"
    )
    seed: Whole = Field(0, ge=0, lt=2**63, title="the run's seed", description="a whole number from 0 to 2^63 - 1")
    stop: str = Field(
        "off",
        title="when a search may end early",
        description="off, exact, confident:EPSILON, paper:ALPHA or adaptive-consistency:THRESHOLD",
    )
    merge: bool = Field(
        False, title="steps to equal states explored once, where the task tells states", description="true or false"
    )
    concurrency: Whole = Field(4, ge=1, le=4096, title="queries at once", description="a whole number from 1 to 4096")
    trace: Path | None = Field(None, title="where to write the trace", description="a new file")
    json_: bool = Field(False, alias="json", title="one JSON object on standard output", description="true or false")
    _typed: dict[str, str] = PrivateAttr(default_factory=dict)

    def typed(self, field: str) -> str:
        """A key as the user typed it, or would type it as a flag; what is no key of any command stays as it is."""
        return self._typed.get(_LIBRARY_NAMES.get(field, field), flag_of(field))


class SolveSettings(SharedSettings, ServerSettings):
    """What `spex solve` can be told."""

    file: Path | None = Field(None, title="problems", description="a JSON Lines file")
    answer: Words | None = Field(
        None, title="the reference answer of a single problem", description="a text that is not blank"
    )
    task: str = Field("text", title="the kind of problem", description="the name of a task")
    policy: str | None = Field(
        None,
        title="the policy's engine, if not llamacpp",
        description="NAME or NAME:PATH, as llamacpp:m.gguf",
    )
    model: str | None = Field(None, title="the policy's model", description="the path of a GGUF file")
    draft: Words | None = Field(
        None,
        title="token-level speculation of llamacpp",
        description="ngram or the path of a smaller GGUF file, with :TOKENS or without",
    )
    reward: str | None = Field(
        None,
        title="the reward, if not confidence, or of game24 its PRM",
        description="NAME[:FORM][@ENGINE], as judge or prm:math-shepherd-7b@sglang:http://127.0.0.1:30001, or several"
        " as one: product(…), min(…) or mean(…), as mean(3 judge, 1 arithmetic)",
    )
    thinking: bool = Field(
        False, title="steps inside of the thinking of a reasoning model", description="true or false"
    )
    thinking_tokens: Whole | None = Field(
        None,
        ge=1,
        le=1 << 20,
        title="most tokens of a path's thinking, if not 4096",
        description="a whole number from 1 to 1048576",
    )
    thinking_spent: Literal["close", "end"] | None = Field(
        None,
        title="what comes of thinking that has had them all, if it is not closed and answered",
        description="one of close, end",
    )
    thinking_seen: Literal["whole", "thinking", "answer"] | None = Field(
        None, title="what the reward sees, if not the whole text", description="one of whole, thinking, answer"
    )
    template: Literal["chat", "none"] | None = Field(
        None,
        title="the prompt, by the model's chat template or as plain turns, if not as the engine can",
        description="one of chat, none",
    )
    enable_thinking: bool | None = Field(
        None, title="what the chat template is told, where it knows of thinking", description="true or false"
    )
    temperature: Real = Field(1.0, ge=0, le=100, title="sampling temperature", description="a number from 0 to 100")
    step_tokens: Whole | None = Field(
        None,
        ge=1,
        le=1 << 20,
        title="most tokens of a step, not of a whole solution nor of the answer behind thinking",
        description="a whole number from 1 to 1048576",
    )
    limit: Whole | None = Field(
        None, ge=1, title="how many problems to take, the first ones", description="a whole number from 1"
    )
    speculation: bool = Field(True, title="speculation", description="true or false")
    deadline: Real | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        title="most seconds for a query, and for opening the engines",
        description="a number above 0",
    )
    log: Path | None = Field(
        None, title="the call log, from which the same command goes on", description="a new file, or one of this run"
    )
    profile: Path | None = Field(
        None,
        title="what was measured of the policy's engine, if not what is kept under its name",
        description="a file that `spex probe --out` wrote",
    )
    quiet: bool = Field(False, title="answers alone", description="true or false")


class SimulateSettings(SharedSettings):
    """What `spex simulate` can be told."""

    workload: str = Field("reference", title="the workload", description="the name of a workload")
    queries: Whole | None = Field(
        None,
        ge=1,
        le=65_536,
        title="queries, if not 64 or 8 times the concurrency, whichever is more",
        description="a whole number from 1 to 65536",
    )
    curve: str | None = Field(
        None,
        title="the policy's latency curve, if not the workload's",
        description="a model on a GPU, such as 8b-a100",
    )
    draft: str | None = Field(
        None,
        title="token-level speculation on the policy's engine",
        description="ACCEPTANCE:TOKENS[:COST], as 0.8:4, with COST the drafter's share of the model's time (0.05)",
    )
    rule: str = Field("ours", title="what says which calls to expect", description="one of ours, paper")
    market: str = Field("ours", title="what says which to start", description="one of ours, paper, first-come")
    arrivals: str | None = Field(
        None,
        title="when queries come, if not as others end; then concurrency bounds nothing",
        description="poisson:RATE, in queries a second",
    )
    plot: Path | None = Field(
        None,
        title="where to draw latency against throughput, at 1 to 64 queries at once",
        description="a file that ends in .svg or .png",
    )


class _Layer(NamedTuple):
    """Values that came one way, by key, and how the user typed a key of them."""

    values: Mapping[str, object]
    typed: Callable[[str], str]


M = TypeVar("M", bound=SharedSettings)


def load(model: type[M], flags: Mapping[str, object], config: Path | None = None) -> M:
    """The settings of a command: flags over variables over `config` over `./spex.toml` over defaults.

    Raises `InputError` for what is not acceptable, with the flag, variable or file it came from.
    """
    values: dict[str, object] = {}
    typed: dict[str, str] = {}
    for layer in _layers(model, flags, config):
        values |= {key: value for key, value in layer.values.items() if key in keys_of(model)}
        typed |= {key: layer.typed(key) for key in layer.values}
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        raise _refusal(model, error, typed) from None
    except InputError as error:
        raise InputError(typed.get(error.field, error.field), error.value, error.allowed) from None
    settings._typed.update(typed)  # noqa: SLF001  # its own kind
    return settings


@contextmanager
def told_as_typed(settings: SharedSettings) -> Iterator[None]:
    """An `InputError` inside, which names a key, names the flag, variable or file where the user set it."""
    try:
        yield
    except InputError as error:
        raise InputError(settings.typed(error.field), error.value, error.allowed) from error


def flag_of(field: str) -> str:
    """The flag of a key, or of the library's name for it; what is neither stays as it is."""
    key = _LIBRARY_NAMES.get(field, field)
    return "--" + key.replace("_", "-") if key in (*_known_keys(), "config") else field


def keys_of(model: type[SharedSettings]) -> dict[str, str]:
    """The keys of a command, each with what is allowed."""
    return {field.alias or name: field.description or "" for name, field in model.model_fields.items()}


def field_of(key: str, model: type[SharedSettings] | None = None) -> FieldInfo:
    """The field of a key: of `model`, or of whichever command has it."""
    fields = SimulateSettings.model_fields | SolveSettings.model_fields if model is None else model.model_fields
    return next(field for name, field in fields.items() if key == (field.alias or name))


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """One warning for each SPEX_ variable that is no setting: it is ignored, never an error.

    Kubernetes sets SPEX_PORT and its like for a service that is called spex.
    """
    known = [key.upper() for key in (*_known_keys(), "config")]
    for name in sorted(environ):
        key = name.upper().removeprefix(_PREFIX)
        if name.upper().startswith(_PREFIX) and key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.8)
            yield f"{name} is no setting and is ignored" + (f"; did you mean {_PREFIX}{near[0]}?" if near else "")


def _layers(model: type[SharedSettings], flags: Mapping[str, object], config: Path | None) -> Iterator[_Layer]:
    """From the weakest to the strongest."""
    variables = EnvSettingsSource(model)()
    if _DEFAULT_FILE.is_file():
        yield _file_layer(model, _DEFAULT_FILE, "configuration")
    if config is not None:
        yield _file_layer(model, config, flag_of("config"))
    elif named := os.environ.get("SPEX_CONFIG"):
        yield _file_layer(model, Path(named), "SPEX_CONFIG")
    yield _Layer(variables, lambda key: _PREFIX + key.upper())
    yield _Layer(flags, flag_of)


def _file_layer(model: type[SharedSettings], path: Path, field: str) -> _Layer:
    """The values of a TOML file that was named by `field`."""
    if not path.is_file():
        raise InputError(field, str(path), "it must be a TOML file")
    try:
        values = TomlConfigSettingsSource(model, path)()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(field, str(path), f"it is no TOML file that can be read: {error}") from None
    known = _known_keys()
    for key, value in values.items():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"
            raise InputError(f"{path}: {key}", value, f"there is no such key; {advice}")
    return _Layer(values, lambda key: f"{path}: {key}")


def _known_keys() -> list[str]:
    return sorted(keys_of(SolveSettings) | keys_of(SimulateSettings))


def _refusal(model: type[SharedSettings], error: ValidationError, typed: Mapping[str, str]) -> InputError:
    first = error.errors(include_url=False)[0]
    key = str(first["loc"][0])
    return InputError(typed.get(key, key), first["input"], f"it must be {keys_of(model)[key]}")
