"""A query followed by its events: what is on the screen is what is known and what is running."""

from __future__ import annotations

from spex.events import Event
from spex.report.growth import Growth


def growth(*events: Event) -> Growth:
    grown = Growth("q")
    for event in events:
        grown.follow(event)
    return grown


def started(call: str, *, ahead: bool = False) -> Event:
    kind = "expand" if call.startswith("expand") else "score"
    return Event(0.0, "q", "started", call=call, kind=kind, speculative=ahead)  # type: ignore[arg-type]


def written(call: str, *texts: str, ends: bool = False, ahead: bool = False) -> Event:
    terminals = tuple(ends for _ in texts)
    return Event(1.0, "q", "finished", call=call, kind="expand", speculative=ahead, texts=texts, terminals=terminals)


def scored(call: str, *scores: float) -> Event:
    return Event(2.0, "q", "finished", call=call, kind="score", speculative=False, scores=scores)


def names(grown: Growth, limit: int = 100) -> list[str]:
    return [shoot.key for shoot in grown.shoots(limit)]


def test_a_started_call_is_a_running_place_and_becomes_a_node_with_its_text() -> None:
    grown = growth(started("expand:root>step.0"))
    [shoot] = grown.shoots(10)
    assert (shoot.key, shoot.running, shoot.speculative) == ("step.0", True, False)
    grown.follow(written("expand:root>step.0", "first", ends=True))
    [shoot] = grown.shoots(10)
    assert (shoot.key, shoot.running, shoot.text, shoot.terminal) == ("step.0", False, "first", True)


def test_a_score_becomes_the_nodes_reward() -> None:
    grown = growth(
        written("expand:root>step.0", "a"),
        started("score:reward.0:step.0"),
        scored("score:reward.0:step.0", 0.25),
    )
    assert [shoot.reward for shoot in grown.shoots(10)] == [0.25]
    assert grown.running(speculative=False) == 0


def test_a_score_of_several_nodes_reaches_each_of_them() -> None:
    grown = growth(
        written("expand:root>step.0", "a"),
        written("expand:root>step.1", "b"),
        scored("score:vote.0:step.0,step.1", 0.25, 0.75),
    )
    assert [shoot.reward for shoot in grown.shoots(10)] == [0.25, 0.75]


def test_calls_in_flight_are_counted_by_kind() -> None:
    grown = growth(
        started("expand:root>step.0"),
        started("expand:root>step.1", ahead=True),
        started("score:reward.0:step.7", ahead=True),
    )
    assert grown.running(speculative=False) == 1
    assert grown.running(speculative=True) == 2


def test_a_promoted_call_is_no_longer_speculative() -> None:
    call = "expand:step.0>step.1"
    grown = growth(started(call, ahead=True), Event(1.0, "q", "promoted", call=call, kind="expand"))
    assert grown.running(speculative=True) == 0
    assert grown.running(speculative=False) == 1


def test_a_score_that_is_demanded_or_ends_is_counted_no_longer() -> None:
    call = "score:reward.0:step.0"
    grown = growth(started(call, ahead=True), Event(1.0, "q", "demanded", call=call, kind="score", speculative=False))
    assert (grown.running(speculative=True), grown.running(speculative=False)) == (0, 1)
    grown.follow(Event(2.0, "q", "cancelled", call=call, kind="score"))
    assert grown.running(speculative=False) == 0


def test_what_is_decided_or_discarded_changes_no_picture() -> None:
    grown = growth(
        written("expand:root>step.0", "a", ahead=True),
        Event(1.0, "q", "decided", strand=0, calls=("expand:root>step.0",)),
        Event(2.0, "q", "discarded", call="expand:root>step.0", kind="expand", speculative=True),
        Event(2.0, "q", "discarded", call="score:reward.0:step.0", kind="score", speculative=True),
    )
    assert [(shoot.key, shoot.speculative) for shoot in grown.shoots(10)] == [("step.0", True)]


def test_a_speculative_text_stays_marked_until_it_is_demanded() -> None:
    call = "expand:root>step.1"
    grown = growth(started(call, ahead=True), written(call, "guess", ahead=True))
    assert [shoot.speculative for shoot in grown.shoots(10)] == [True]
    grown.follow(Event(2.0, "q", "demanded", call=call, kind="expand", speculative=False))
    assert [shoot.speculative for shoot in grown.shoots(10)] == [False]


def test_a_cancelled_call_is_gone_and_may_start_again() -> None:
    call = "expand:root>step.0"
    cancelled = Event(1.0, "q", "cancelled", call=call, kind="expand")
    grown = growth(started(call), cancelled)
    assert names(grown) == []
    grown.follow(started(call))
    grown.follow(written(call, "at last"))
    grown.follow(cancelled)
    assert [shoot.text for shoot in grown.shoots(10)] == ["at last"]


def test_a_call_that_made_nothing_leaves_nothing() -> None:
    assert names(growth(started("expand:root>step.0"), written("expand:root>step.0"))) == []


def test_a_call_may_make_several_children() -> None:
    grown = growth(started("expand:root>propose.0"), written("expand:root>propose.0", "a", "b", "c"))
    assert names(grown) == ["propose.0", "propose.0.1", "propose.0.2"]


def test_nodes_come_in_preorder_with_numbers_in_their_order() -> None:
    grown = growth(
        *(written(f"expand:root>step.{number}", "x") for number in (10, 2, 0)),
        written("expand:step.2>step.1", "x"),
        written("expand:step.2/step.1>step.0", "x"),
    )
    assert names(grown) == ["step.0", "step.2", "step.2/step.1", "step.2/step.1/step.0", "step.10"]
    assert [shoot.depth for shoot in grown.shoots(10)] == [0, 0, 1, 2, 0]


def test_where_not_all_fits_what_is_running_is_shown_and_then_what_is_new() -> None:
    done = [written(f"expand:root>step.{number}", "x") for number in range(50)]
    grown = growth(*done, started("expand:step.40>step.3"))
    assert names(grown, limit=2) == ["step.40", "step.40/step.3"]
    assert names(grown, limit=4) == ["step.40", "step.40/step.3", "step.48", "step.49"]


def test_a_node_is_never_shown_without_its_ancestors() -> None:
    grown = growth(*(written(f"expand:{parent}>step.0", "x") for parent in ("root", "step.0", "step.0/step.0")))
    grown.follow(written("expand:root>step.1", "x"))
    assert names(grown, limit=2) == ["step.0", "step.1"]


def test_a_finished_query_is_over() -> None:
    grown = growth(Event(0.0, "q", "query_started"))
    assert not grown.over
    grown.follow(Event(1.0, "q", "query_finished", answer="42"))
    assert grown.over
