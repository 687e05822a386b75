"""The searches by name, built from text. Plug-ins add theirs by the entry point group `spex.searches`.

A search's parameters are the fields of its dataclass; `aliases` on the class maps other spellings to them,
`answer_rule` names the rule by which its answers are voted on unless the caller says otherwise, `models` the models of
scores that it asks for besides the reward, `actions` those that a task must know for it, and `source` says in a few
words where it is from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType
from typing import Any, get_args, get_type_hints

from spex.catalog import Catalog
from spex.errors import InputError
from spex.search.base import AnySearch, Parallel, Search
from spex.search.spelling import parsed

SEARCHES: Catalog[AnySearch] = Catalog(
    kind="search",
    group="spex.searches",
    own={
        "ab-mcts": "spex.search.ab_mcts:AbMcts",
        "beam": "spex.search.beam:Beam",
        "best-first": "spex.search.best_first:BestFirst",
        "best-of-n": "spex.search.best_of_n:BestOfN",
        "dvts": "spex.search.dvts:Dvts",
        "ets": "spex.search.ets:Ets",
        "mcts": "spex.search.mcts:Mcts",
        "rebase": "spex.search.rebase:Rebase",
        "rest-mcts": "spex.search.rest_mcts:RestMcts",
        "rstar": "spex.search.rstar:RStar",
        "self-consistency": "spex.search.self_consistency:SelfConsistency",
        "tot-bfs": "spex.search.tot_bfs:TotBfs",
        "tot-dfs": "spex.search.tot_dfs:TotDfs",
        "virtual-loss": "spex.search.virtual_loss:VirtualLoss",
        "wu-uct": "spex.search.wu_uct:WuUct",
    },
)


def search_names() -> tuple[str, ...]:
    """All names, ours and those of plug-ins, sorted."""
    return SEARCHES.names()


def find_search(name: str) -> Callable[..., AnySearch]:
    """The class of the search called `name`. Raises `InputError` with the nearest name and the list."""
    return SEARCHES.load(name)


def build_search(name: str, settings: Mapping[str, str]) -> AnySearch:
    """The search called `name`, with `settings` as they are spelled in `--set key=value`.

    Raises `InputError` naming the key as it was typed: unknown, given twice under two spellings,
    missing, not of its type, or out of its range.
    """
    factory = find_search(name)
    types = _parameter_types(factory)
    typed = _typed_keys(settings, types, getattr(factory, "aliases", {}))
    arguments = {key: _value(factory, key, spelled, settings[spelled], types[key]) for key, spelled in typed.items()}
    for key in _required(factory):
        if key not in arguments:
            raise InputError(key, None, f"it must be set: {name} needs it")
    try:
        search = factory(**arguments)
    except InputError as error:
        raise InputError(typed.get(error.field, error.field), error.value, error.allowed) from None
    if not isinstance(search, Search | Parallel):
        raise InputError("search", name, f"it makes a {type(search).__name__}, which is no search")
    return search


def allowed_for(name: str, key: str) -> str | None:
    """What the parameter `key` of a search may be, in words; None where any text may stand. Raises `InputError`."""
    factory = find_search(name)
    kind = _parameter_types(factory)[key]
    try:
        _value(factory, key, key, "?", kind)
    except InputError as error:
        return error.allowed.removeprefix("it must be ") + (", or none" if NoneType in get_args(kind) else "")
    return None


def source_of(search: AnySearch) -> str | None:
    """Where `search` is from, in a few words; None where it does not say."""
    source = getattr(type(search), "source", None)
    return source if isinstance(source, str) else None


def answer_rule_of(search: AnySearch) -> str:
    """The name of the answer rule that `search` is usually voted by."""
    return str(getattr(search, "answer_rule", "weighted"))


def models_of(search: AnySearch) -> tuple[str, ...]:
    """The models of scores that `search` asks for besides the reward."""
    return tuple(getattr(search, "models", ()))


def actions_of(search: AnySearch) -> tuple[str, ...]:
    """The actions that a task must know for `search`, where it says so; none but `step` and `solution` otherwise."""
    return tuple(getattr(search, "actions", ()))


def _value(factory: Callable[..., AnySearch], key: str, spelled: str, text: str, kind: Any) -> object:
    try:
        return parsed(spelled, text, kind)
    except InputError as error:
        # The class knows the range, the type only says "a whole number".
        raise InputError(spelled, text, _range(factory, key, text) or error.allowed) from None


def _range(factory: Callable[..., AnySearch], key: str, text: str) -> str | None:
    """What the class itself says to a text in the place of a number, if it says anything."""
    try:
        factory(**{key: text})
    except InputError as error:
        return error.allowed if error.field == key else None
    except Exception:  # noqa: BLE001  # a plug-in's class may stumble over it in any way
        return None
    return None


def _parameter_types(factory: Any) -> dict[str, Any]:
    if not is_dataclass(factory):
        return {}
    hints = get_type_hints(factory)
    return {field.name: hints[field.name] for field in fields(factory) if field.init}


def _required(factory: Any) -> list[str]:
    if not is_dataclass(factory):
        return []
    return [
        field.name
        for field in fields(factory)
        if field.init and field.default is MISSING and field.default_factory is MISSING
    ]


def _typed_keys(settings: Mapping[str, str], types: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, str]:
    """Each parameter that is set, with the spelling that was used for it."""
    typed: dict[str, str] = {}
    for spelled in settings:
        key = aliases.get(spelled, spelled)
        if key not in types:
            raise InputError("set", spelled, _advice(spelled, [*types, *aliases]))
        if key in typed:
            raise InputError(spelled, settings[spelled], f"{typed[key]} is set as well, and means the same")
        typed[key] = spelled
    return typed


def _advice(spelled: str, known: list[str]) -> str:
    nearest = get_close_matches(spelled, known, n=1)
    meant = f"did you mean {nearest[0]}? " if nearest else ""
    return f"{meant}known keys: {', '.join(known)}" if known else "this search has no parameters"
