"""`spex searches`: what can be searched with, and by which parameters."""

from __future__ import annotations

from inspect import getdoc
from typing import Annotated

import msgspec
import typer

from spex.cli.parameters import JsonValue, parameters_of
from spex.cli.streams import put_json, put_table
from spex.errors import InputError
from spex.report.table import table

_CELLS_MAX = 400


class ParameterRecord(msgspec.Struct, frozen=True):
    """A parameter: its default, and in words what it may be (None: any text)."""

    default: JsonValue
    allowed: str | None


class SearchRecord(msgspec.Struct, frozen=True):
    """A search as it may be named: its class, and its parameters."""

    name: str
    class_name: str
    parameters: dict[str, ParameterRecord]
    description: str


def searches(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """List the searches with their parameters, for --search NAME and --set key=value."""
    records = known_searches()
    if as_json:
        put_json({"spex": 1, "searches": msgspec.to_builtins(records)})
        return
    rows = [(record.name, record.class_name, _spelled(record.parameters), record.description) for record in records]
    put_table(table(("name", "class", "parameters", "what it does"), rows, cells_max=_CELLS_MAX))


def known_searches() -> list[SearchRecord]:
    """Every search of ours and of plug-ins; one that cannot be loaded says so in its description."""
    from spex.search.catalog import search_names  # noqa: PLC0415  # loads what it names

    return [_record(name) for name in search_names()]


def _record(name: str) -> SearchRecord:
    from spex.search.catalog import allowed_for, build_search  # noqa: PLC0415

    try:
        search = build_search(name, {})
    except InputError as error:
        return SearchRecord(name, "", {}, str(error))
    kind = type(search)
    parameters = {
        key: ParameterRecord(default, allowed_for(name, key)) for key, default in parameters_of(search).items()
    }
    return SearchRecord(name, kind.__name__, parameters, _first_line(getdoc(kind)))


def _first_line(doc: str | None) -> str:
    return (doc or "").partition("\n")[0].strip()


def _spelled(parameters: dict[str, ParameterRecord]) -> str:
    return " ".join(f"{key}={_typed(parameter.default)}" for key, parameter in parameters.items())


def _typed(value: JsonValue) -> str:
    """A value as `--set` takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
