"""A query's tree as its events tell it, while it grows: what is written, what is running, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spex.events import Event

_ROOT = "root"


@dataclass(slots=True)
class Shoot:
    """A node, or the place of one that is being written. `speculative`: nobody has asked for it yet."""

    key: str
    depth: int
    speculative: bool
    running: bool = True
    text: str = ""
    terminal: bool = False
    reward: float | None = None


class Growth:
    """Follows one query. Events of other queries must not be given to it."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.over: bool = False
        self._shoots: dict[str, Shoot] = {}
        self._children: dict[str, list[str]] = {}
        self._scoring: dict[str, bool] = {}

    def follow(self, event: Event) -> None:
        """Take the next event."""
        if event.event == "query_finished":
            self.over = True
        elif event.call is None:
            return
        elif event.kind == "score":
            self._follow_score(event, event.call)
        else:
            self._follow_expansion(event, event.call)

    def running(self, *, speculative: bool) -> int:
        """Calls in flight, of one kind or the other."""
        writing = sum(shoot.running and shoot.speculative is speculative for shoot in self._shoots.values())
        return writing + sum(kind is speculative for kind in self._scoring.values())

    def __len__(self) -> int:
        return len(self._shoots)

    def shoots(self, limit: int) -> list[Shoot]:
        """At most `limit` nodes in preorder: with their ancestors, first what is running, then what is new."""
        ordered = list(self._preorder())
        if len(ordered) > limit:
            wanted = self._wanted(limit)
            ordered = [shoot for shoot in ordered if shoot.key in wanted]
        return ordered[:limit]

    def _wanted(self, limit: int) -> set[str]:
        newest = list(reversed(self._shoots.values()))
        wanted: set[str] = set()
        for shoot in (*(shoot for shoot in newest if shoot.running), *newest):
            way = {*_way(shoot.key)} - wanted
            if len(wanted) + len(way) <= limit:
                wanted |= way
        return wanted

    def _follow_expansion(self, event: Event, call: str) -> None:
        parent, _, edge = call.removeprefix("expand:").rpartition(">")
        key = edge if parent == _ROOT else f"{parent}/{edge}"
        match event.event:
            case "started":
                self._add(key, parent, speculative=bool(event.speculative))
            case "demanded" | "promoted" if key in self._shoots:
                self._shoots[key].speculative = False
            case "finished":
                self._write(key, parent, event)
            case "cancelled" | "failed":
                self._drop(key, parent)
            case _:
                pass

    def _follow_score(self, event: Event, call: str) -> None:
        match event.event:
            case "started":
                self._scoring[call] = bool(event.speculative)
            case "demanded" | "promoted" if call in self._scoring:
                self._scoring[call] = False
            case "finished" | "cancelled" | "failed":
                self._scoring.pop(call, None)
                nodes = call.rpartition(":")[2].split(",")
                for node, score in zip(nodes, event.scores or (), strict=False):
                    if node in self._shoots:
                        self._shoots[node].reward = score
            case _:
                pass

    def _add(self, key: str, parent: str, *, speculative: bool) -> None:
        if key not in self._shoots:
            self._children.setdefault(parent, []).append(key)
        self._shoots[key] = Shoot(key, key.count("/"), speculative)

    def _write(self, key: str, parent: str, event: Event) -> None:
        texts = event.texts or ()
        if not texts:
            self._drop(key, parent)
        for part, text in enumerate(texts):
            node = f"{key}.{part}" if part else key
            self._add(node, parent, speculative=bool(event.speculative))
            shoot = self._shoots[node]
            shoot.running, shoot.text = False, text
            shoot.terminal = bool(event.terminals and event.terminals[part])

    def _drop(self, key: str, parent: str) -> None:
        shoot = self._shoots.get(key)
        if shoot is not None and shoot.running:
            del self._shoots[key]
            self._children[parent].remove(key)

    def _preorder(self) -> Iterator[Shoot]:
        waiting = self._offspring(_ROOT)
        while waiting:
            key = waiting.pop()
            yield self._shoots[key]
            waiting += self._offspring(key)

    def _offspring(self, key: str) -> list[str]:
        """The children's keys, the first one last: a stack."""
        return sorted(self._children.get(key, ()), key=_order, reverse=True)


def _order(key: str) -> list[tuple[bool, int, str]]:
    """Sorts `step.2` before `step.10`."""
    parts = key.rpartition("/")[2].split(".")
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _way(key: str) -> Iterator[str]:
    """`key` and its ancestors, the root apart."""
    while key:
        yield key
        key = key.rpartition("/")[0]
