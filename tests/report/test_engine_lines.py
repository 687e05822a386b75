"""What is said of a measured engine: a line for each thing, and what is lost where something is missing."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import msgspec

from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, Completion, Generation
from spex.engine.drafts import Drafts
from spex.engine.measured import Itl, MeasuredPoint
from spex.profile import Affine
from spex.report.engine_lines import engine_lines
from tests.engine.probed import Blocks, Odd, probed, simulated, written

FLAT, STEEP = Affine(0.010, 0.0001), Affine(0.002, 0.004)


def said_of(engine: object) -> dict[str, str]:
    return dict(engine_lines(probed(engine)))  # type: ignore[arg-type]


def test_of_an_engine_that_has_all_nothing_is_lost() -> None:
    engine = Odd(
        simulated(FLAT, cache=Blocks(16), cancel_delay_seconds=0.1),
        label_error=0.0,
        counts=lambda running: running,
        who=Identity("Engine 1", "a model"),
    )
    said = said_of(engine)
    assert [line for line in said.values() if "—" in line] == []
    assert said["engine"] == "simulated: Engine 1, a model"
    assert said["ℓ(b)"].startswith("1: 10.1 ms, 2: 10.2 ms")
    assert "10 ms + 0.1 ms a request" in said["ℓ(b)"]
    assert said["seed"].startswith("positional: equal texts again 4 of 4")
    assert "kept in blocks of 16" in said["prefix cache"]
    assert said["labels"].startswith("right: ")
    assert said["abort"].startswith("confirmed: 8 cancellations came through in 100 ms")


def test_of_an_engine_that_has_little_each_line_says_what_is_lost() -> None:
    draws = count()

    def by_chance(request: object) -> object:
        return written(request, next(draws))._replace(logprobs=None)  # type: ignore[arg-type]

    said = said_of(Odd(simulated(STEEP, by_chance, cache=Blocks(None)), ignores_aborts=True))  # type: ignore[arg-type]
    assert said["seed"].endswith("— a speculated run's tree is one of many; it cannot be compared with the plain one's")
    assert said["ℓ(b)"].endswith("— compute-bound: there is little room to speculate in")
    assert said["prefix cache"].endswith("— every step computes all of its path again")
    assert said["labels"] == "none — no judge and no PRM with label tokens can be asked here"
    assert said["log-probabilities"].startswith("none — ")
    assert said["abort"].startswith("ignored: ")
    assert said["engine"] == "simulated: a version that it does not tell, a model it does not name"


def test_drafts_are_told_with_what_they_cost_and_priorities_where_they_are_taken() -> None:
    def drafting(told: Capabilities, **more: object) -> Capabilities:
        return replace(told, drafts=Drafts("EAGLE", 4), **more)  # type: ignore[arg-type]

    who = Identity("Engine 1", "a model", "EAGLE, 4 tokens at once")
    said = said_of(Odd(simulated(FLAT), told=lambda told: drafting(told, priority=True, retain=True), who=who))
    assert said["drafts"].startswith("EAGLE, 4 tokens at once: ℓ(b) is of tokens as they are written")
    assert "—" not in said["drafts"]
    assert said["priority"].endswith("its queue has demanded calls first, and keeps their prompts longer")
    said = said_of(Odd(simulated(FLAT), told=lambda told: drafting(told, seed="none", retain=True), who=who))
    assert said["drafts"].endswith("no tree is promised to be the same")
    assert said["priority"].startswith("for its cache alone")
    said = said_of(simulated(FLAT))
    assert "drafts" not in said
    assert said["priority"].startswith("not measured: no request of ours has one")


def test_a_curve_that_falls_is_a_reason_to_measure_again() -> None:
    points = [MeasuredPoint(1, 0.3), MeasuredPoint(2, 0.8), MeasuredPoint(4, 0.3)]
    profile = msgspec.structs.replace(probed(simulated(FLAT)), itl=Itl(points, None))
    assert "it falls in places" in dict(engine_lines(profile))["ℓ(b)"]


def test_a_sample_is_no_promise() -> None:
    engine = Odd(simulated(FLAT), told=lambda told: replace(told, seed="none"))
    assert said_of(engine)["seed"].startswith("none promised, though equal texts again 4 of 4")


def test_log_probabilities_that_move_are_told_beside_equal_texts_with_what_is_lost() -> None:
    met: set[str] = set()

    def cold_at_first(request: Generation) -> Completion:
        text = written(request)
        assert text.logprobs is not None
        cold = request.prompt.digest not in met
        met.add(request.prompt.digest)
        return text._replace(logprobs=(text.logprobs[0] - 1e-7 * cold, *text.logprobs[1:]))

    said = said_of(simulated(FLAT, cold_at_first))["seed"]
    assert said.startswith(
        "positional: equal texts again 4 of 4, cached against cold 4 of 4 (0 in their log-probabilities too), beside"
    )
    assert said.endswith("— scores made of log-probabilities may differ in their last places, and a tree after that")


def test_wrong_labels_too_few_slots_and_whole_seeds_are_told() -> None:
    said = said_of(Odd(simulated(FLAT, seed="whole"), label_error=0.3, waits_beyond=3))
    assert said["labels"].startswith("wrong: ")
    assert said["slots"].startswith("3, and not 256 as it says")
    assert said["seed"].endswith("— a text that was stopped is written again from its start")


def test_what_was_not_measured_says_why_and_others_are_named() -> None:
    profile = msgspec.structs.replace(
        probed(simulated(FLAT)), aborts=None, unmeasured={"aborts": "time ran out"}, load_before=3
    )
    said = dict(engine_lines(profile))
    assert said["abort"] == "not measured: time ran out"
    assert "3 requests of others ran when it began" in said["engine"]
