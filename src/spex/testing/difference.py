"""Where two trees that should be the same differ first, by cause and not by consequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from spex.ids import Call, Expand, Score, call_key, node_key
from spex.tree import Step, Tree


class Difference(NamedTuple):
    """What differs first between two trees.

    `call` is the key of the call whose results differ, `aspect` what of them: `call` (one tree has not got it),
    `children` (how many it made), `token`, `log-probability`, `score`, or the name of a field of `Step`. `position` is
    that of the token in the step, or of the node in the call, from 0; None where there is none. `left` and `right` are
    the two values, None for what is not there; beside a token stand its log-probabilities.
    """

    call: str
    aspect: str
    position: int | None
    left: object
    right: object
    left_logprob: float | None = None
    right_logprob: float | None = None

    def __str__(self) -> str:
        place = "" if self.position is None else f" {self.position}"
        left, right = _told(self.left, self.left_logprob), _told(self.right, self.right_logprob)
        return f"{self.call}: {self.aspect}{place}: {left} against {right}"


def first_difference(left: Tree, right: Tree) -> Difference | None:
    """The first difference between two trees; None where they are the same, bit for bit.

    Calls that both trees have come before those that only one has: a search that follows a rule asks for another call
    only after another result. Among them texts come before the scores of what they made, and the nearer to the root
    the earlier; what is told first is not a consequence of anything that could have been told.
    """
    shared = [call for call in _calls(left) if call in right]
    for call in sorted(shared, key=_order):
        found = next(_between(call, left, right), None)
        if found is not None:
            return found
    for call in sorted({*_calls(left), *_calls(right)} - set(shared), key=_order):
        return Difference(call_key(call), "call", None, _presence(call, left), _presence(call, right))
    return None


def _calls(tree: Tree) -> Iterator[Call]:
    yield from tree.expansions
    yield from tree.scores


def _order(call: Call) -> tuple[int, bool, Call]:
    if isinstance(call, Expand):
        return len(call.parent) + 1, False, call
    return max(map(len, call.nodes), default=0), True, call


def _presence(call: Call, tree: Tree) -> str | None:
    return "asked for" if call in tree else None


def _between(call: Call, left: Tree, right: Tree) -> Iterator[Difference]:
    if isinstance(call, Score):
        yield from _between_scores(call, left.scores[call], right.scores[call])
        return
    mine, other = left.expansions[call], right.expansions[call]
    for node in mine:
        if node in other:
            yield from _between_steps(f"{call_key(call)}, {node_key(node)}", left.steps[node], right.steps[node])
    if mine != other:
        yield Difference(call_key(call), "children", None, len(mine), len(other))


def _between_scores(call: Score, left: Sequence[float], right: Sequence[float]) -> Iterator[Difference]:
    for position, (mine, other) in enumerate(zip_longest(left, right)):
        if mine != other:
            yield Difference(call_key(call), "score", position, mine, other)


def _between_steps(place: str, left: Step, right: Step) -> Iterator[Difference]:
    for position, (mine, other) in enumerate(zip_longest(left.token_ids, right.token_ids)):
        if mine != other:
            chances = (_at(step.logprobs, position) for step in (left, right))
            yield Difference(place, "token", position, mine, other, *chances)
    for position, (mine, other) in enumerate(zip_longest(left.logprobs or (), right.logprobs or ())):
        if mine != other:
            yield Difference(place, "log-probability", position, mine, other)
    for name in ("text", "end", "terminal", "answer", "state"):
        if getattr(left, name) != getattr(right, name):
            yield Difference(place, name, None, getattr(left, name), getattr(right, name))


def _at(logprobs: Sequence[float] | None, position: int) -> float | None:
    return logprobs[position] if logprobs is not None and position < len(logprobs) else None


def _told(value: object, logprob: float | None) -> str:
    told = "nothing" if value is None else repr(value)
    return told if logprob is None else f"{told} (log-probability {logprob!r})"
