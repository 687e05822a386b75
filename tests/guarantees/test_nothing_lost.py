"""G5: cut short at any moment and continued, a run ends as it would have, and makes no finished call twice."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from spex.control.log import FileLog
from spex.record import Entry, MemoryLog
from spex.usage import Tokens
from tests.guarantees.situations import cut_at, cuts, faults, scenarios, shares, tried
from tests.swarm.checker import compare
from tests.swarm.judge import in_vain, plain_trial
from tests.swarm.scenario import Scenario
from tests.swarm.trial import How, Trial, carry_out

CONFIGURATION: Mapping[str, str] = {"run": "drawn"}


class StrictLog(MemoryLog):
    """A log that refuses what it has already."""

    def append(self, entry: Entry) -> None:
        assert entry.key not in self.entries
        super().append(entry)


@tried(35)
@given(scenarios(fault=faults()), st.lists(cuts(), min_size=1, max_size=4))
def test_a_run_that_is_cut_short_again_and_again_ends_as_it_would_have_and_makes_nothing_twice(
    scenario: Scenario, all_cuts: list[tuple[How, float]]
) -> None:
    plain, log = plain_trial(scenario), StrictLog()
    doomed = in_vain(scenario, plain)
    for cut in all_cuts:
        finished = set(log.entries)
        short = carry_out(scenario, speculate=True, log=log, cut=cut_at(cut, plain), doomed=doomed)
        assert not finished & short.register.asked.keys()
        assert told(short) <= log.entries.keys()
    finished = set(log.entries)
    last = carry_out(scenario, speculate=True, log=log, doomed=doomed)
    assert not finished & last.register.asked.keys()
    assert compare(plain.events, last.events) == []


def told(trial: Trial) -> set[str]:
    """The calls that were told to be finished."""
    return {f"{event['query']}|{event['call']}" for event in trial.events if event["event"] == "finished"}


@tried(24)
@given(scenarios(fault=faults()), st.booleans())
def test_what_is_finished_is_never_computed_twice(scenario: Scenario, speculate: bool) -> None:
    log = MemoryLog()
    first = carry_out(scenario, speculate=speculate, log=log)
    again = carry_out(scenario, speculate=True, log=log)
    assert (again.cost, again.register.asked) == (Tokens(), {})
    assert [solution.tree for solution in again.solutions] == [solution.tree for solution in first.solutions]
    assert again.usage.useful == again.usage.replayed


@tried(16)
@given(scenarios(), shares())
def test_a_log_that_a_crash_has_torn_anywhere_still_continues_its_run(scenario: Scenario, share: float) -> None:
    plain = plain_trial(scenario)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        with FileLog(path, CONFIGURATION) as log:
            carry_out(scenario, speculate=True, log=log)
        whole = path.read_bytes()
        kept = whole[: round(share * len(whole))]
        path.write_bytes(kept)
        with FileLog(path, CONFIGURATION) as log:
            assert len(log) == max(0, kept.count(b"\n") - 1)
            last = carry_out(scenario, speculate=True, log=log)
    assert compare(plain.events, last.events) == []
