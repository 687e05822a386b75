"""Situations as Hypothesis draws and shrinks them: the swarm's scenarios, part by part, the simplest first."""

from __future__ import annotations

import os
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st

from spex.control.setup import Speculation
from spex.profile import Affine, Curve, Roofline, Scaled
from spex.search.base import AnySearch
from spex.search.beam import Beam
from spex.search.dvts import Dvts
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.sim.workload import Workload
from spex.speculate.market import Market, RateMarket
from spex.speculate.paper_budget import PaperBudget
from spex.speculate.paper_selection import PaperSelection
from spex.speculate.rule import Imagination, Rule
from spex.speculate.runahead import Effort
from tests.search.small import NAMES, small
from tests.swarm.markets import Greedy, Whim
from tests.swarm.scenario import Faults, Scenario
from tests.swarm.senseless import Senseless, SenselessStrands
from tests.swarm.trial import Cut, How, Trial

_TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))


def tried(examples: int) -> settings:
    """So many examples, the same ones every time; `EXAMPLES_TIMES=20` tries twenty times as many, others each time."""
    return settings(max_examples=examples * _TIMES, derandomize=_TIMES == 1, deadline=None)


def shares() -> st.SearchStrategy[float]:
    return st.floats(0.0, 1.0)


def senseless(*, reads_all: bool = True) -> st.SearchStrategy[Senseless]:
    """Rules that nobody has thought of."""
    return st.builds(
        Senseless,
        turns=st.integers(1, 9),
        breadth=st.integers(1, 3),
        levels=st.integers(1, 3),
        reads_text=st.booleans(),
        reads_all=st.just(reads_all),
    )


def senseless_searches() -> st.SearchStrategy[AnySearch]:
    return st.one_of(senseless(), st.builds(SenselessStrands, senseless(), st.integers(2, 3)))


@st.composite
def levelled(draw: st.DrawFn) -> Beam | Dvts:
    children, subtrees = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kinds: list[type[Beam | Dvts]] = [Beam, Dvts]
    return draw(st.sampled_from(kinds))(width=children * subtrees, children=children, depth_max=draw(st.integers(1, 5)))


def searches() -> st.SearchStrategy[AnySearch]:
    """Any search: those of the catalogue, some with drawn parameters, and those without sense."""
    mcts = st.builds(Mcts, iterations=st.integers(1, 8), children=st.integers(1, 3), c=st.sampled_from([0.1, 1.0, 3.0]))
    rebase = st.builds(Rebase, width=st.integers(1, 8), temperature=st.sampled_from([0.05, 0.2]), depth_max=st.just(5))
    return st.one_of(st.sampled_from(NAMES).map(small), rebase, levelled(), mcts, senseless_searches())


def workloads() -> st.SearchStrategy[Workload]:
    """Steps of one token and of many, alike and not; trees that end at once and that never do."""
    return st.builds(
        Workload,
        st.just("drawn"),
        step_tokens=st.sampled_from([1.0, 5.0, 20.0, 70.0]),
        spread=st.sampled_from([0.0, 0.6, 1.2]),
        reward_noise=st.sampled_from([0.0, 0.15, 0.5]),
        depth_min=st.integers(1, 3),
        depth_max=st.integers(4, 6),
        end_probability=st.sampled_from([1 / 7, 0.0, 0.5, 1.0]),
        seed=st.integers(0, 1 << 16),
    )


def curves() -> st.SearchStrategy[Curve]:
    return st.sampled_from([Affine(0.010, 0.00008), Affine(0.0026, 0.0034), Roofline(0.012, 0.0004, 4.0)])


def markets() -> st.SearchStrategy[Market]:
    """Speculation rules, the senseless ones included."""
    budgets = st.builds(PaperBudget, st.sampled_from([None, 1, 5]), spare=st.booleans())
    return st.one_of(st.builds(Greedy), st.builds(RateMarket), st.builds(Whim, st.integers(0, 99)), budgets)


def rules() -> st.SearchStrategy[Rule]:
    """Ours and the published one."""
    return st.one_of(st.builds(Imagination), st.builds(PaperSelection, st.sampled_from([None, 1, 3])))


def speculations() -> st.SearchStrategy[Speculation]:
    return st.builds(
        Speculation,
        effort=st.builds(Effort, st.integers(1, 4), st.sampled_from([1, 4, 16])),
        market=markets(),
        in_flight_max=st.sampled_from([None, None, 0, 1, 3]),
        rule=rules(),
    )


LATE = Faults(stalled=1.0, reward_slow=1.0)
"""Nothing fails, but every call takes a time of its own: whatever can overtake does."""


def faults() -> st.SearchStrategy[Faults]:
    """What goes wrong; most of it does not in most of them."""
    some = st.one_of(st.just(0.0), shares())
    return st.builds(
        Faults,
        refused=some,
        broken_off=some,
        stalled=some,
        abort_ignored=some,
        reward_refused=some,
        reward_slow=some,
        in_vain=some,
    )


@st.composite
def scenarios(
    draw: st.DrawFn,
    search: st.SearchStrategy[AnySearch] | None = None,
    *,
    fault: st.SearchStrategy[Faults] | None = None,
    slots: st.SearchStrategy[int] | None = None,
) -> Scenario:
    """A situation; nothing goes wrong in it but what `fault` gives."""
    curve = draw(curves())
    return Scenario(
        seed=draw(st.integers(0, 1 << 16)),
        search=draw(search if search is not None else searches()),
        workload=draw(workloads()),
        queries=draw(st.integers(1, 2)),
        concurrency=draw(st.integers(1, 2)),
        curve=curve,
        believed=draw(st.sampled_from([curve, Scaled(curve, 0.5), Affine(0.02, 0.001)])),
        slots=draw(slots if slots is not None else st.sampled_from([256, 16, 5, 3, 2, 1])),
        prefill_seconds=draw(st.sampled_from([0.0, 0.0005])),
        cancel_delay_seconds=draw(st.sampled_from([0.0, 0.05, 0.5])),
        positional=draw(st.booleans()),
        reward_curve=Affine(draw(st.sampled_from([0.04, 0.0, 1.0])), draw(st.sampled_from([0.0, 0.002]))),
        reward_slots=draw(st.sampled_from([4096, 4, 1])),
        speculation=draw(speculations()),
        faults=draw(fault) if fault is not None else Faults(),
    )


def late(scenario: Scenario, order: int) -> Scenario:
    """The same requests, answered in another order; `order` names it."""
    return replace(scenario, faults=LATE, faults_seed=order)


def cuts() -> st.SearchStrategy[tuple[How, float]]:
    """Ways to end a run before its time, each with the share of its time that it gets."""
    return st.tuples(st.sampled_from(How), shares())


def cut_at(cut: tuple[How, float], whole: Trial) -> Cut:
    """The cut at that share of what the whole run lasted."""
    how, share = cut
    return Cut(how, max(1e-3, share * whole.seconds))
