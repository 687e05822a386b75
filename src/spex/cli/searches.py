"""`spex searches`: what can be searched with, and by which parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import getdoc
from textwrap import wrap
from typing import Annotated

import msgspec
import typer

from spex.cli.parameters import JsonValue, parameters_of
from spex.cli.streams import put, put_json, width_of_stdout
from spex.errors import InputError
from spex.visible import one_line

_CELLS_MAX = 400
_ABOUT_MAX = 4000


class ParameterRecord(msgspec.Struct, frozen=True):
    """A parameter: its default, and what it may be: in words (None: any text), by its range, by all choices."""

    default: JsonValue
    allowed: str | None
    lowest: int | float | None = None
    highest: int | float | None = None
    choices: tuple[str | bool, ...] | None = None


class SearchRecord(msgspec.Struct, frozen=True):
    """A search as it may be named: its class, its parameters, and where it is from (None: it does not say).

    `about` is what it says of its parameters; `aliases` are other spellings of them.
    """

    name: str
    class_name: str
    parameters: dict[str, ParameterRecord]
    description: str
    source: str | None = None
    about: str = ""
    aliases: dict[str, str] = {}


def searches(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One search, with all that it says.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """List the searches with their parameters, for --search NAME and --set key=value.

    Of each: what it is, where it is from, and each parameter as --set takes it, with its default and its range.
    Of one that is named: what its parameters mean, and by which other names --set takes them, too.
    """
    records = known_searches() if name is None else [_named(name)]
    if as_json:
        put_json({"spex": 1, "searches": msgspec.to_builtins(records)})
        return
    lines = "\n\n".join(blocks(records, width_of_stdout()))
    put(lines if name is None else "\n".join([lines, *_told_more(records[0], width_of_stdout())]))


def known_searches() -> list[SearchRecord]:
    """Every search of ours and of plug-ins; one that cannot be loaded says so in its description."""
    from spex.search.catalog import search_names  # noqa: PLC0415  # loads what it names

    return [_record(name) for name in search_names()]


def blocks(records: Sequence[SearchRecord], width: int) -> Iterator[str]:
    """A few lines for each search, at most `width` characters long where words allow it; ranges in one column."""
    settings = [_set(key, parameter) for record in records for key, parameter in record.parameters.items()]
    column = 4 + max(map(len, settings), default=0) + 2
    for record in records:
        lines = [f"{record.name} ({record.class_name})" if record.class_name else record.name]
        for text in (record.description, record.source):
            lines += _wrapped(text or "", width, "  ")
        for key, parameter in record.parameters.items():
            begun = f"    {_set(key, parameter)}".ljust(column)
            lines += _wrapped(parameter.allowed or "any text", width, begun, " " * column)
        yield "\n".join(lines)


def _named(name: str) -> SearchRecord:
    from spex.search.catalog import find_search  # noqa: PLC0415

    find_search(name)  # refuses what is none
    return _record(name)


def _told_more(record: SearchRecord, width: int) -> Iterator[str]:
    if record.about:
        yield ""
        yield from _wrapped(record.about, width, "  ", cells_max=_ABOUT_MAX)
    if record.aliases:
        yield ""
        told = ", ".join(f"{other} is {key}" for other, key in record.aliases.items())
        yield from _wrapped(f"Other names: {told}.", width, "  ")


def _record(name: str) -> SearchRecord:
    from spex.search.catalog import build_search, source_of  # noqa: PLC0415

    try:
        search = build_search(name, {})
    except InputError as error:
        return SearchRecord(name, "", {}, str(error))
    kind = type(search)
    parameters = {key: _parameter(name, key, default) for key, default in parameters_of(search).items()}
    first, _, rest = (getdoc(kind) or "").partition("\n")
    about = " ".join(rest.split()).removesuffix(" Raises `InputError`.").replace("`", "")
    aliases = dict(getattr(kind, "aliases", {}))
    return SearchRecord(name, kind.__name__, parameters, first.strip(), source_of(search), about, aliases)


def _parameter(name: str, key: str, default: JsonValue) -> ParameterRecord:
    from spex.search.bounds import bounds_in  # noqa: PLC0415
    from spex.search.catalog import allowed_for  # noqa: PLC0415

    allowed = allowed_for(name, key)
    return ParameterRecord(default, allowed, *bounds_in(allowed or ""))


def _set(key: str, parameter: ParameterRecord) -> str:
    """A parameter with its default, as `--set` takes it."""
    default = parameter.default
    value = str(default).lower() if isinstance(default, bool | None) else str(default)
    return one_line(f"{key}={value}", _CELLS_MAX)


def _wrapped(text: str, width: int, first: str, others: str | None = None, cells_max: int = _CELLS_MAX) -> list[str]:
    """What a plug-in says of itself may be anything: it is made visible, and broken between words."""
    return wrap(
        one_line(text, cells_max),
        width,
        initial_indent=first,
        subsequent_indent=first if others is None else others,
        break_long_words=False,
        break_on_hyphens=False,
    )
