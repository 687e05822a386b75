"""PRMs by name: the models that `prms.toml` lists, the forms that it lists, and forms in files of the user's own."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from spex.errors import InputError
from spex.reward.prm_form import Form, HeadForm, PrmForm

_FILE_BYTES_MAX = 1 << 16
_READERS: Mapping[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}


class PrmModel(NamedTuple):
    """A PRM in use. `sglang`, `vllm`: the flags by which each serves it, or in words why it does not.

    embedded: the engine that comes with it, as it is named; empty where the model comes from elsewhere.
    """

    name: str
    model: str
    form: str
    sglang: tuple[str, ...] | str
    vllm: tuple[str, ...] | str
    source: str
    embedded: str = ""


class PrmServer(NamedTuple):
    """What serves PRMs. `checked`: the version that the models' flags were checked with, `port`: the usual one here.

    starts: how it is started, up to the model's name, by the distribution that it is installed as, the usual one first.
    """

    name: str
    title: str
    checked: str
    port: int
    starts: Mapping[str, tuple[str, ...]]


def prm_servers() -> tuple[PrmServer, ...]:
    """All that are listed, in the order of their file."""
    return _listed().servers


def prm_models() -> tuple[PrmModel, ...]:
    """All that are listed, in the order of their file."""
    return tuple(_listed().models.values())


def prm_model(name: str) -> PrmModel:
    """The model called `name`. Raises `InputError` for an unknown one."""
    models = _listed().models
    if name not in models:
        raise InputError("prm", name, _advice(name, models))
    return models[name]


def find_form(spec: str) -> Form:
    """The form of the model or form called `spec`, or that in the file `spec` (.toml, .json). Raises `InputError`."""
    listed = _listed()
    if spec in listed.models:
        return listed.forms[listed.models[spec].form]
    if spec in listed.forms:
        return listed.forms[spec]
    if Path(spec).suffix in _READERS:
        return _form_in(Path(spec))
    raise InputError(
        "reward", f"prm:{spec}", f"{_advice(spec, list({**listed.models, **listed.forms}))}, or a .toml or .json file"
    )


def embedded_engine(spec: str) -> str:
    """The engine, as it is named, that comes with the model called `spec`; empty where none does."""
    model = _listed().models.get(spec)
    return model.embedded if model else ""


def form_of(name: str, values: Mapping[str, Any]) -> Form:
    """The form that a table describes: with `outputs` a `HeadForm`, without a `PrmForm`. Raises `InputError`."""
    kind: type[PrmForm | HeadForm] = HeadForm if "outputs" in values else PrmForm
    known = [field.name for field in fields(kind)]
    for key in values:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise InputError(f"form.{key}", values[key], f"{meant}the keys of a form are {', '.join(known)}")
    return kind(**{"name": name, **values})


class _Listed(NamedTuple):
    forms: Mapping[str, Form]
    models: Mapping[str, PrmModel]
    servers: tuple[PrmServer, ...]


@lru_cache(maxsize=1)
def _listed() -> _Listed:
    table = tomllib.loads(files("spex.reward").joinpath("prms.toml").read_text(encoding="utf-8"))
    forms = {name: form_of(name, values) for name, values in table["forms"].items()}
    models = {name: _model(name, values) for name, values in table["models"].items()}
    servers = tuple(_server(name, values) for name, values in table["servers"].items())
    return _Listed(forms, models, servers)


def _server(name: str, values: Mapping[str, Any]) -> PrmServer:
    starts = {distribution: tuple(start) for distribution, *start in values["starts"]}
    return PrmServer(name, values["title"], values["checked"], values["port"], starts)


def _model(name: str, values: Mapping[str, Any]) -> PrmModel:
    sglang, vllm = (
        tuple(values[server]) if server in values else str(values[f"{server}_not"]) for server in ("sglang", "vllm")
    )
    return PrmModel(name, values["model"], values["form"], sglang, vllm, values["source"], values.get("embedded", ""))


def _form_in(path: Path) -> Form:
    try:
        if path.stat().st_size > _FILE_BYTES_MAX or not path.is_file():
            raise InputError("reward", f"prm:{path}", f"it must be a file of at most {_FILE_BYTES_MAX} bytes")
        values = _READERS[path.suffix](path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError("reward", f"prm:{path}", f"its form cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise InputError("reward", f"prm:{path}", "it must hold the keys of a form")
    return form_of(path.stem, values)


def _advice(name: str, names: object) -> str:
    known = sorted(map(str, names)) if isinstance(names, Mapping | list) else []
    near = get_close_matches(name.casefold(), known, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"it must be one of {', '.join(known)}"
