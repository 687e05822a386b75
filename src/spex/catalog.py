"""Names of things that can be chosen: one table from name to "module:attribute", joined with plug-ins.

Nothing is imported before it is named. A plug-in adds names by an entry point group; it cannot
take a name of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from spex.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Catalog(Generic[T]):
    """What may be chosen as `kind` (the field that messages name), by name.

    `own` maps names to "module:attribute"; `group` is the entry point group of plug-ins.
    """

    kind: str
    group: str
    own: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """All names, ours and those of plug-ins, sorted."""
        return tuple(sorted({*self.own, *self._plugins()}))

    def load(self, name: str) -> Callable[..., T]:
        """The class (or other factory) called `name`, imported now.

        Raises `InputError` for an unknown name, and for one whose module cannot be imported.
        """
        place = self.own.get(name)
        if place is None:
            plugin = self._plugins().get(name)
            if plugin is None:
                raise InputError(self.kind, name, self._advice(name))
            place = plugin.value
        try:
            return cast("Callable[..., T]", _resolved(place))
        except Exception as error:
            # A plug-in may fail in any way while it is imported; one line says which and how.
            raise InputError(
                self.kind, name, f"it stands for {place}, which fails: {type(error).__name__}: {error}"
            ) from error

    def _plugins(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self.group)}

    def _advice(self, name: str) -> str:
        names = self.names()
        nearest = get_close_matches(name.casefold(), names, n=1) if isinstance(name, str) else []
        meant = f"did you mean {nearest[0]}? " if nearest else ""
        return f"{meant}it must be one of {', '.join(names)}"


def _resolved(place: str) -> object:
    module, _, attribute = place.partition(":")
    return reduce(getattr, attribute.split("."), cast("object", import_module(module)))
