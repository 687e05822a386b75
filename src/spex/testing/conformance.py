"""The public conformance suite: does a search keep to the contract of `spex.search.base`?"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from spex.control.strand import built_on
from spex.errors import SearchError
from spex.ids import Call, Expand, call_key, maker, node_key
from spex.search.base import AnySearch, Outlook, Search, Stop, strands_of
from spex.seeds import strand_seed
from spex.testing.trial import DECISIONS_MAX, FIRST_COME, LAST_COME, Blocked, Course, Decided, Run, run_alone, shuffled
from spex.testing.watch import advance_suspiciously, outlook_suspiciously, start_suspiciously
from spex.testing.world import SHAPES, SyntheticWorld
from spex.tree import Visible


def check_search(search: AnySearch, *, seeds: Iterable[int] = range(2), decisions_max: int = DECISIONS_MAX) -> None:
    """Run `search` alone on synthetic worlds of every shape, under several orders of arrival.

    Raises `SearchError`, naming the class and the rule that is broken, unless in every run: `advance` and
    `start` are pure, read neither clock nor chance (but for the generators that whole programs share, where a
    search `keys_shared_chance`: it seeds them, and puts them back), and let `Unknown` pass; states are frozen and new;
    every strand ends within `decisions_max` decisions; its demands, their order and its `Stop` do not depend on the
    order of arrival; `Stop` names terminals that were demanded, each once unless the strand `repeats_terminals`; and
    the outlook is an upper bound, and with `keeps` all terminals that were read are in `Stop`.
    """
    for strand in strands_of(search):
        if not isinstance(strand, Search):
            raise SearchError(f"{type(strand).__name__}: a search has start, advance and outlook, or strands")
    for seed in seeds:
        for number, strand in enumerate(strands_of(search)):
            start_suspiciously(strand, strand_seed(seed, "alone", number))
        for shape in SHAPES:
            _check_world(search, SyntheticWorld(seed, shape), decisions_max)


def _check_world(search: AnySearch, world: SyntheticWorld, decisions_max: int) -> None:
    reference: Run | None = None
    for order in (FIRST_COME, LAST_COME, *map(shuffled, range(2 * world.seed, 2 * world.seed + 2))):
        suspect = _Suspect()
        try:
            run = run_alone(
                search, world, seed=world.seed, order=order, decisions_max=decisions_max, advance=suspect.advance
            )
            for course in run.courses:
                outlooks = suspect.outlooks.get(id(course.view), [])
                _check_outlooks(course, outlooks, run)
                _check_kept(course, outlooks, run)
            reference = reference or run
            for first, other in zip(reference.courses, run.courses, strict=True):
                _check_same(first, other)
        except SearchError as error:
            where = f"world {world.shape.name!r}, seed {world.seed}, order {order.name!r}"
            raise SearchError(f"{error} [{where}]") from error


class _Suspect:
    """Watches one run, and notes the outlook at each decision of each strand."""

    def __init__(self) -> None:
        self.outlooks: dict[int, list[Outlook]] = {}

    def advance(self, search: Search[object], state: object, view: Visible) -> Decided | Blocked:
        result = advance_suspiciously(search, state, view)
        if isinstance(result, Decided) and not isinstance(result.outcome, Stop):
            outlook = outlook_suspiciously(search, result.state, view)
            self.outlooks.setdefault(id(view), []).append(outlook)
        return result


def _check_outlooks(course: Course, outlooks: list[Outlook], run: Run) -> None:
    """No more answers came, and none of a higher reward, than was said at each decision."""
    terminals = course.stop.terminals if course.stop else ()
    for number, (outlook, before) in enumerate(zip(outlooks, course.arrived_before, strict=False)):
        later = [node for node in terminals if course.arrived[maker(node)] >= before]
        best = max((run.tree.reward(node) or 0.0 for node in later), default=0.0)
        if len(later) > outlook.answers or best > outlook.best:
            came = f"{len(later)} came, the best of reward {best:g}"
            raise SearchError(f"{course.name}: at decision {number} it gave {outlook}, and {came}")


def _check_kept(course: Course, outlooks: list[Outlook], run: Run) -> None:
    """Where an outlook said that what is read is kept, all of it was."""
    if any(outlook.keeps for outlook in outlooks):
        read = {call for known in course.view.read for call in (known, *built_on(known)) if isinstance(call, Expand)}
        ends = {node for call in read for node in run.tree.expansions[call] if run.tree.steps[node].terminal}
        lost = ends.difference(course.stop.terminals if course.stop else ())
        if lost:
            raise SearchError(
                f"{course.name}: its outlook keeps terminals, and {node_key(min(lost))} is not in its Stop"
            )


def _check_same(first: Course, other: Course) -> None:
    """Two orders of arrival gave the same demands in the same order, and the same end."""
    for one, two in zip_longest(first.demanded, other.demanded):
        if one != two:
            raise SearchError(
                f"{first.name}: its demands depend on the order of arrival: {_shown(one)} here, {_shown(two)} there"
            )
    if [decided.outcome for decided in first.decisions] != [decided.outcome for decided in other.decisions]:
        raise SearchError(f"{first.name}: its decisions depend on the order of arrival")


def _shown(call: Call | None) -> str:
    return "nothing" if call is None else call_key(call)
