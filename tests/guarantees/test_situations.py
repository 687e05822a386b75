"""The properties of this folder are about something: what they hold for does happen in the situations they draw."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

from hypothesis import Phase, given, settings

from spex.events import Kind
from spex.testing import check_search
from tests.guarantees.situations import faults, scenarios, senseless_searches
from tests.swarm.judge import in_vain, plain_trial
from tests.swarm.scenario import Scenario
from tests.swarm.senseless import Senseless, SenselessStrands
from tests.swarm.trial import Trial, carry_out

NAMED = (
    *(f"speculation {kind}" for kind in ("started", "finished", "cancelled", "failed", "discarded")),
    *("void", "several children", "no child", "restarted", "wasted", "lost"),
)
NEVER_SHRUNK = settings(max_examples=200, derandomize=True, deadline=None, phases=[Phase.generate])


def test_everything_that_may_happen_to_a_call_happens_to_some() -> None:
    seen: Counter[str] = Counter()

    @NEVER_SHRUNK
    @given(scenarios(senseless_searches(), fault=faults()))
    def look(scenario: Scenario) -> None:
        plain = plain_trial(scenario)
        trial = carry_out(scenario, speculate=True, doomed=in_vain(scenario, plain))
        seen.update(happenings(trial))

    look()
    assert {what for what, count in seen.items() if not count} == set(), seen


def happenings(trial: Trial) -> Counter[str]:
    """What happened in a run, by its name; what did not counts nothing."""
    events = trial.events
    seen = Counter(dict.fromkeys((*get_args(Kind), *NAMED), 0))
    seen.update(event["event"] for event in events)
    seen.update(f"speculation {event['event']}" for event in events if event.get("speculative"))
    started = Counter((event["query"], event["call"]) for event in events if event["event"] == "started")
    seen["restarted"] += sum(count > 1 for count in started.values())
    seen["several children"] += sum(len(event["texts"]) > 1 for event in expansions(trial))
    seen["no child"] += sum(not event["texts"] for event in expansions(trial))
    seen["void"] += sum(tree_call not in trial.register.asked for tree_call in trial.demanded)
    seen["wasted"] += trial.usage.wasted.generated > 0
    seen["lost"] += trial.usage.lost.generated > 0
    return seen


def expansions(trial: Trial) -> list[dict[str, Any]]:
    return [event for event in trial.events if event["event"] == "finished" and event["kind"] == "expand"]


def test_the_rules_without_sense_keep_the_contract_of_a_search() -> None:
    check_search(SenselessStrands(Senseless(turns=5)), seeds=[0])
    check_search(Senseless(turns=5, reads_text=True), seeds=[1])
    check_search(Senseless(turns=5, reads_all=False), seeds=[2])
