"""The library's front door."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

import spex
from spex.api import run, run_sync, setup_of, solve, solve_sync
from spex.control.clock import run_virtual
from spex.control.logged import identity_of
from spex.engine.abilities import Identity
from spex.engine.base import Completion, Generation, Progress, Scoring
from spex.engine.function import FunctionPolicy
from spex.engine.retrying import Retrying
from spex.errors import InputError, LogMismatch, Misbehaving, SearchError, SpexError, Unreachable
from spex.events import Event
from spex.ids import Edge, Expand
from spex.problem import Problem
from spex.record import MemoryLog
from spex.reward.clusters import Clusters
from spex.reward.function import FunctionReward
from spex.reward.rubric import Rubric
from spex.search.base import AnySearch
from spex.search.best_of_n import BestOfN
from spex.search.ets import Ets
from spex.search.merging import Merging
from spex.search.rebase import Rebase
from spex.search.rstar import RStar
from spex.search.self_consistency import SelfConsistency
from spex.search.tot_bfs import TotBfs
from spex.solution import Solution
from spex.tasks.base import StepForm
from spex.tasks.forms import QUESTIONS
from spex.tasks.text import Text
from tests.builders import demand, grow, read, rule, stop

SMALL = BestOfN(width=3)


def speak(prompt: str, seed: int) -> str:
    """A model that knows two answers."""
    return f"thinking\n\nAnswer: {4 if seed % 4 else 5}"


def model(**more: Any) -> FunctionPolicy:
    return FunctionPolicy(speak, **more)


def even() -> FunctionReward:
    return FunctionReward(lambda text: 0.9 if "4" in text else 0.1)


def options(**more: Any) -> dict[str, Any]:
    return {"policy": model(), "reward": even(), "search": SMALL, **more}


# What is asked


@dataclass(frozen=True)
class Cued:
    """The task of free text, which asks for each kind of step in its own words."""

    inner: Text

    def form(self, action: str) -> StepForm:
        return replace(self.inner.form(action), cue=f"[{action}] ")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_an_action_is_asked_for_by_its_cue_which_stays_out_of_what_is_made() -> None:
    prompts: list[str] = []

    def write(prompt: str, seed: int) -> str:
        prompts.append(prompt.rpartition("Assistant: ")[2])
        return "one\n\n" if len(prompts) == 1 else "Answer: 2"

    deeper = Expand((Edge("step", 0),), "solution")
    search = rule(demand(grow(0), deeper), read(grow(0), deeper), stop((Edge("step", 0), Edge("solution", 0))))
    solution = solve_sync("q", policy=FunctionPolicy(write), reward=even(), search=search, task=Cued(Text()))
    assert prompts == ["[step] ", "one\n\n[solution] "]
    assert solution.answer == "2"


@pytest.mark.parametrize("search", [RStar(), Merging(RStar())])
def test_a_task_that_does_not_know_what_the_search_asks_for_is_refused_at_the_door(search: AnySearch) -> None:
    with pytest.raises(
        InputError, match=r"RStar needs a task that knows reanswer, rephrase, subquestion: text, gsm8k, or one of"
    ) as caught:
        solve_sync("4 9 10 13", **options(search=search, task="game24"))
    assert (caught.value.field, caught.value.value) == ("task", "game24")
    with pytest.raises(InputError, match=r"TotBfs needs a task that knows propose: game24, or one of your own$"):
        solve_sync("q", **options(search=TotBfs(generate="propose"), task="text"))


@pytest.mark.parametrize("task", ["text", "gsm8k"])
@pytest.mark.parametrize("confidence", ["votes", "reward"])
def test_rstar_asks_in_the_words_of_each_action(task: str, confidence: Literal["votes", "reward"]) -> None:
    asked: set[str] = set()

    def write(prompt: str, seed: int) -> str:
        asked.update(cue for cue in QUESTIONS.values() if prompt.endswith(cue))
        return f"Then {seed % 97}.\n\n" if any(map(prompt.endswith, QUESTIONS.values())) else speak(prompt, seed)

    search = RStar(iterations=6, children=1, votes=3, depth_max=4, confidence=confidence)
    solution = solve_sync("q", policy=FunctionPolicy(write), reward=even(), search=search, task=task)
    assert asked == set(QUESTIONS.values())
    assert solution.answer in ("4", "5")
    assert not any(cue in step.text for step in solution.tree.steps.values() for cue in QUESTIONS.values())


# What comes out


def test_a_problem_is_solved() -> None:
    solution = asyncio.run(solve("what is 2 + 2?", **options()))
    assert solution.answer == "4"
    assert solution.problem == Problem("what is 2 + 2?")
    assert len(solution.terminals) == 3
    assert solution.partial is None


def test_a_reference_answer_is_checked() -> None:
    right, wrong = (asyncio.run(solve(Problem("2 + 2?", "sum", answer), **options())).correct for answer in ("4", "5"))
    assert (right, wrong) == (True, False)


def test_many_problems_are_solved_in_their_order() -> None:
    result = asyncio.run(run([f"what is {number}?" for number in range(5)], **options(concurrency=2)))
    assert [solution.problem.text for solution in result.solutions] == [f"what is {number}?" for number in range(5)]


def test_the_public_names_are_these() -> None:
    assert spex.solve is solve
    assert spex.run is run


def test_a_search_may_be_named_as_policies_and_rewards_are() -> None:
    assert setup_of(options(search="mcts")).search == spex.Mcts()  # type: ignore[arg-type]
    with pytest.raises(spex.InputError, match=r"search: 'rebas' is not valid; did you mean rebase\?"):
        solve_sync("2 + 2?", **options(search="rebas"))


class Asking(BestOfN):
    """A search that asks for a model of scores that has no usual reward."""

    models = ("novelty",)


def test_what_a_search_asks_for_besides_the_reward_is_there_by_itself() -> None:
    made = setup_of({"policy": model(), "search": Ets(width=2)})
    assert made.rewards["reward"].name.startswith("confidence")
    assert isinstance(made.rewards["clusters"], Clusters)
    solution = solve_sync("2 + 2", **options(search=Ets(width=3, depth_max=2)))
    assert {call.model for call in solution.tree.scores} == {"reward", "clusters"}
    assert set(setup_of({"policy": model(), "search": Ets(diversity=0.0)}).rewards) == {"reward"}


def test_rewards_that_are_given_come_before_the_usual_ones() -> None:
    rewards = {"reward": even(), "clusters": even()}
    assert setup_of({"policy": model(), "reward": rewards, "search": Ets()}).rewards == rewards
    assert setup_of({"policy": model(), "reward": {"reward": even(), "other": even()}}).rewards.keys() == {
        "reward",
        "other",
    }


def test_a_search_that_asks_for_what_nobody_gives_is_refused() -> None:
    with pytest.raises(InputError, match="reward: it must name one for the model 'novelty', which the search asks for"):
        setup_of({"policy": model(), "search": Asking()})
    assert "novelty" in setup_of({"policy": model(), "search": Asking(), "reward": {"novelty": even()}}).rewards


def test_the_search_says_how_its_answers_vote_unless_it_is_told() -> None:
    assert setup_of(options(search=SelfConsistency(3))).answer_rule == spex.Majority()  # type: ignore[arg-type]
    told = options(search=SelfConsistency(3), answer_rule=spex.Best())
    assert setup_of(told).answer_rule == spex.Best()  # type: ignore[arg-type]


def test_the_plain_run_gives_the_same_tree() -> None:
    made = options(search=Rebase(4, depth_max=3))
    plain = solve_sync("2 + 2?", **options(search=Rebase(4, depth_max=3), speculation=None))
    assert solve_sync("2 + 2?", **made).tree == plain.tree
    assert plain.foresight.speculated == 0


def test_another_seed_gives_another_tree() -> None:
    def named(prompt: str, seed: int) -> str:
        return f"Answer: {seed}"

    trees = [solve_sync("2?", **options(policy=FunctionPolicy(named), seed=seed)).tree for seed in (1, 2, 1)]
    assert trees[0] == trees[2] != trees[1]


def test_events_and_solutions_are_told_as_they_happen() -> None:
    events: list[Event] = []
    solutions: list[Solution] = []
    result = run_sync(["a?", "b?"], **options(on_event=events.append, on_solution=solutions.append))
    assert events[0].event == "query_started"
    assert events[-1].event == "query_finished"
    assert sorted(solutions, key=str) == sorted(result.solutions, key=str)


def test_a_run_can_be_stopped() -> None:
    async def main() -> spex.Run:
        stop_event = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop_event.set)
        return await run(["a?", "b?"], **options(policy=model(latency_seconds=10.0), stop=stop_event))

    result = run_virtual(main())
    assert result.interrupted
    assert [solution.partial for solution in result.solutions] == ["interrupted"] * 2


def test_a_deadline_gives_what_there_is() -> None:
    async def main() -> Solution:
        return await solve("a?", **options(policy=model(latency_seconds=10.0), deadline_seconds=2.0))

    assert run_virtual(main()).partial == "deadline query of 2 s ran out"


# What goes wrong


def test_a_model_that_says_nothing_at_all_is_searched_like_any_other() -> None:
    solution = solve_sync(
        "2?", policy=FunctionPolicy(lambda prompt, stop: ""), reward="arithmetic", search=SelfConsistency(2)
    )
    assert (solution.partial, solution.answer) == (None, None)
    assert all(step.text == "" for step in solution.tree.steps.values())


def fails(error: SpexError) -> FunctionPolicy:
    def refuse(prompt: str, seed: int) -> str:
        raise error

    return FunctionPolicy(refuse)


def test_a_problem_that_fails_raises_its_error() -> None:
    with pytest.raises(Misbehaving, match="no way"):
        solve_sync("a?", **options(policy=fails(Misbehaving("mine", "a text", "no way"))))
    with pytest.raises(SearchError):
        solve_sync("a?", **options(search=rule(demand(grow(0)), read(grow(3, 0)), stop())))


def test_a_problem_that_fails_among_others_is_partial() -> None:
    def refuse(prompt: str, seed: int) -> str:
        if "b?" in prompt:
            raise Misbehaving("mine", "a text", "no way")
        return speak(prompt, seed)

    result = run_sync(["a?", "b?", "c?"], **options(policy=FunctionPolicy(refuse)))
    assert [type(solution.error) for solution in result.solutions] == [type(None), Misbehaving, type(None)]


def test_an_engine_that_is_away_is_tried_again() -> None:
    left = [Unreachable("mine", "away")] * 3

    async def main() -> Solution:
        def hesitate(prompt: str, seed: int) -> str:
            if left:
                raise left.pop()
            return speak(prompt, seed)

        return await solve("a?", **options(policy=FunctionPolicy(hesitate)))

    assert run_virtual(main()).answer == "4"
    assert not left


WRONG: list[tuple[str, Any]] = [
    *[("seed", value) for value in (-1, 1 << 63, 1.0, True, "7", None, float("nan"))],
    *[("temperature", value) for value in (-0.1, 100.1, float("nan"), float("inf"), "hot", None, True)],
    *[("concurrency", value) for value in (0, -1, 2.5, "4", True, float("nan"))],
    *[("deadline", value) for value in (0, -1.0, float("inf"), float("nan"), "soon")],
    *[(f"{name}_seconds", value) for name in ("connect", "first_token", "token_gap") for value in (0, -1.0, 1e6, "a")],
    *[("patience_seconds", value) for value in (-1.0, 1e6, float("nan"), float("inf"), True, None)],
    *[("step_tokens_max", value) for value in (0, -1, 2.5, "many", True)],
    *[("search", value) for value in ("rebas", "", Rebase, 3, None)],
    *[("speculation", value) for value in (True, False, "yes")],
    *[("stop_early", value) for value in ("soon", "confident:2", "exact:1", 3, None)],
    *[("answer_rule", value) for value in ("majority", 3)],
    *[("task", value) for value in ("tekst", 3)],
    *[("policy", value) for value in ("llamacp", 3, None)],
    *[("reward", value) for value in ("confidense", 3, {"reward": "confidence"}, None)],
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: ascii(value)[:40])
def test_an_option_that_cannot_be_is_refused_by_its_name_before_anything_starts(name: str, value: object) -> None:
    engine = model()
    option = "deadline_seconds" if name == "deadline" else name
    with pytest.raises(InputError) as refused:
        run_sync(["a?"], **{**options(policy=engine), option: value})
    assert refused.value.field == name
    assert "\n" not in str(refused.value)
    assert engine.counters().cost.prompt_uncached == 0


def test_who_wants_to_know_is_told_of_the_engine_once_when_it_is_open() -> None:
    class Opened(FunctionPolicy):
        is_open = False

        async def open(self) -> None:
            self.is_open = True

    engine = Opened(speak)
    told: list[tuple[object, bool]] = []
    run_sync(["a?", "b?"], **options(policy=engine, on_open=lambda found: told.append((found, engine.is_open))))
    ((found, is_open),) = told
    assert isinstance(found, Retrying)
    assert found.inner is engine
    assert is_open


@pytest.mark.parametrize(("name", "meant"), [("tempratur", "temperature"), ("width", None), ("Seed", "seed")])
def test_an_option_that_does_not_exist_is_refused_with_the_nearest_name(name: str, meant: str | None) -> None:
    with pytest.raises(InputError) as refused:
        run_sync(["a?"], **options(**{name: 1}))
    assert (refused.value.field, refused.value.value) == ("option", name)
    assert (f"did you mean {meant}?" in str(refused.value)) == (meant is not None)
    assert "concurrency" in str(refused.value)


@pytest.mark.parametrize("problem", ["", "  \n", "\ud800", 3, None, b"text"])
def test_a_problem_that_is_none_is_refused(problem: Any) -> None:
    with pytest.raises(InputError, match="problem"):
        run_sync([problem], **options())


def test_two_problems_of_one_id_are_refused() -> None:
    with pytest.raises(InputError, match="id"):
        run_sync(["a?", "a?"], **options())


def test_no_problems_are_no_error() -> None:
    assert run_sync([], **options()).solutions == ()


# Without await


def test_it_works_without_await_in_a_program_and_inside_a_running_loop() -> None:
    outside = solve_sync("2 + 2?", **options())

    async def notebook() -> tuple[Solution, spex.Run]:
        return solve_sync("2 + 2?", **options()), run_sync(["2 + 2?"], **options())

    inside, both = asyncio.run(notebook())
    assert outside.tree == inside.tree == both.solutions[0].tree


def test_an_error_comes_out_of_a_running_loop_as_it_is() -> None:
    async def notebook() -> None:
        with pytest.raises(InputError, match="seed"):
            solve_sync("a?", **options(seed=-1))

    before = threading.active_count()
    asyncio.run(notebook())
    assert threading.active_count() == before


# Engines are opened and closed


class Watched:
    """An engine and a reward that write down when they are opened and closed; some fail at it."""

    def __init__(
        self, name: str, told: list[str], fails_at: str = "", function: Callable[[str, int], str] = speak
    ) -> None:
        self._name = name
        self._told = told
        self._fails_at = fails_at
        self._engine = FunctionPolicy(function, name=name)
        self._reward = FunctionReward(lambda text: 0.5, name=name)
        self.capabilities = self._engine.capabilities
        self.counters = self._engine.counters
        self.encode = self._engine.encode
        self.encode_chat = self._engine.encode_chat
        self.label = self._engine.label
        self.server = self._reward.server
        self.name = name

    async def open(self) -> None:
        self._note("open")

    async def close(self) -> None:
        self._note("close")

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        self._note("generate")
        return await self._engine.generate(request, progress)

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        return await self._reward.score(request, progress)

    def _note(self, what: str) -> None:
        if what != "generate":
            self._told.append(f"{what} {self._name}")
        if what == self._fails_at:
            raise Unreachable(self._name, f"cannot {what}")


def watched(told: list[str], policy_fails_at: str = "", reward_fails_at: str = "") -> dict[str, Any]:
    return options(policy=Watched("policy", told, policy_fails_at), reward=Watched("reward", told, reward_fails_at))


ALL = ["open policy", "open reward", "close reward", "close policy"]


def test_engine_and_reward_are_opened_once_and_closed_in_turn() -> None:
    told: list[str] = []
    run_sync(["a?", "b?"], **watched(told))
    assert told == ALL


@pytest.mark.parametrize("callback", ["on_solution", "on_event"])
def test_they_are_closed_when_the_run_breaks(callback: str) -> None:
    def broken(told: object) -> None:
        raise ZeroDivisionError

    told: list[str] = []
    with pytest.raises(ZeroDivisionError):
        run_sync(["a?"], **watched(told) | {callback: broken})
    assert told == ALL


def test_they_are_closed_when_the_run_is_cancelled() -> None:
    told: list[str] = []

    async def main() -> None:
        slow = FunctionPolicy(speak, latency_seconds=10.0)
        made = watched(told)
        made["policy"].generate = slow.generate
        task = asyncio.ensure_future(run(["a?"], **made))
        await asyncio.sleep(5.0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert slow.counters().running == 0

    run_virtual(main())
    assert told == ALL


def test_what_was_opened_is_closed_when_the_next_cannot_be_opened() -> None:
    told: list[str] = []
    with pytest.raises(Unreachable, match="cannot open"):
        run_sync(["a?"], **watched(told, reward_fails_at="open"))
    assert told == ["open policy", "open reward", "close policy"]


def test_the_policy_is_closed_even_if_the_reward_cannot_be() -> None:
    told: list[str] = []
    with pytest.raises(Unreachable, match="cannot close"):
        run_sync(["a?"], **watched(told, reward_fails_at="close"))
    assert told == ALL


def test_nothing_is_opened_for_what_is_refused() -> None:
    told: list[str] = []
    for wrong in ({"seed": -1}, {"concurrency": 0}, {"log": "/none/at/all"}):
        with pytest.raises(InputError):
            run_sync(["a?"], **watched(told), **wrong)
    assert told == []


def test_nothing_is_opened_for_two_problems_of_one_id() -> None:
    told: list[str] = []
    with pytest.raises(InputError):
        run_sync(["a?", "a?"], **watched(told))
    assert told == []


# Logs


def test_a_log_given_as_a_path_is_gone_on_from(tmp_path: Path) -> None:
    for place in (tmp_path / "log", str(tmp_path / "log")):
        engine = model()
        solution = solve_sync("2 + 2?", **options(policy=engine, log=place))
        again = place != tmp_path / "log"
        assert (engine.counters().cost.generated == 0) == again
        assert (solution.usage.paid.generated == 0) == again
        assert solution.answer == "4"


def test_a_log_of_ones_own_is_gone_on_from() -> None:
    log, engine = MemoryLog(), model()
    solve_sync("2 + 2?", **options(policy=engine, log=log))
    cost = engine.counters().cost
    solve_sync("2 + 2?", **options(policy=engine, log=log))
    assert engine.counters().cost == cost


CHANGES: list[dict[str, Any]] = [
    {"seed": 1},
    {"temperature": 0.5},
    {"step_tokens_max": 99},
    {"search": BestOfN(width=4)},
    {"task": "gsm8k"},
    {"task": Text(delimiter="\n")},
    {"reward": FunctionReward(lambda text: 0.5, name="other")},
    {"policy": model(name="other")},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_log_of_another_configuration_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    solve_sync("2 + 2?", **options(log=tmp_path / "log"))
    with pytest.raises(LogMismatch, match="another configuration"):
        solve_sync("2 + 2?", **options(log=tmp_path / "log") | change)


def test_how_a_run_is_carried_out_is_no_part_of_its_configuration(tmp_path: Path) -> None:
    solve_sync("2 + 2?", **options(log=tmp_path / "log"))
    carried = options(log=tmp_path / "log", concurrency=1, speculation=None, deadline_seconds=9.0)
    assert solve_sync("2 + 2?", **carried).usage.paid.generated == 0


def test_a_log_is_refused_where_the_server_has_another_model_than_its_texts_are_of(tmp_path: Path) -> None:
    class Served(FunctionPolicy):
        identity = Identity("vLLM 0.32.0", "small")

        async def load(self) -> None: ...

    def served() -> Served:
        return Served(lambda prompt, seed: "Answer: 4", name="vllm:http://127.0.0.1:8000")

    assert solve_sync("2 + 2?", **options(policy=served(), log=tmp_path / "log")).answer == "4"
    assert solve_sync("2 + 2?", **options(policy=served(), log=tmp_path / "log")).usage.paid.generated == 0
    Served.identity = Identity("vLLM 0.32.0", "large")
    with pytest.raises(LogMismatch, match=r"call log .*/log: .* 'small', and .* now has 'large'") as caught:
        solve_sync("2 + 2?", **options(policy=served(), log=tmp_path / "log"))
    assert caught.value.exit_code == 2


def test_ets_without_scipy_is_told_of_the_search_which_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.reward.clusters.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^search: it asks for scores by clusters: .* pip install"):
        solve_sync("2 + 2?", **options(search=Ets(width=2)))


@pytest.mark.parametrize("reward", ["rubric", "value", "mean(rubric, arithmetic)"])
def test_a_run_tells_how_many_verdicts_its_rewards_could_not_read(reward: str, tmp_path: Path) -> None:
    def told(log: Path) -> int:
        return run_sync(["2 + 2?"], **options(reward=reward, log=log)).unread

    assert told(tmp_path / "log") == SMALL.width  # a model that never says a verdict
    assert told(tmp_path / "log") == 0  # read from the log, and not asked for


def test_what_a_reward_could_not_read_counts_for_the_run_in_which_it_was() -> None:
    judge = Rubric(model())
    assert [run_sync(["2 + 2?"], **options(reward=judge)).unread for _ in range(2)] == [SMALL.width] * 2
    assert judge.unread == 2 * SMALL.width
    assert run_sync(["2 + 2?"], **options()).unread == 0


def test_a_search_without_a_name_of_its_own_is_the_same_in_every_process() -> None:
    class Plain:
        """A search that is no dataclass: its `repr` has an address."""

        def start(self, seed: int) -> int:
            return 0

        def advance(self, state: int, tree: object) -> tuple[int, spex.Stop]:
            return 1, spex.Stop(())

        def outlook(self, state: int, tree: object) -> spex.Outlook:
            return spex.Outlook(0)

    one, other = (identity_of(setup_of(options(search=Plain()))) for _ in range(2))  # type: ignore[arg-type]
    assert one == other
    assert "Plain" in one["search"]


def test_the_policy_is_tried_again_and_the_reward_may_share_its_engine() -> None:
    engine = model()
    setup = setup_of({"policy": engine, "reward": "judge", "search": SMALL})
    assert isinstance(setup.policy.engine, Retrying)
    assert setup.policy.engine.inner is engine


def test_a_program_that_is_interrupted_ends_by_itself() -> None:
    program = (
        "import os, signal, threading, spex\n"
        "threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "slow = spex.FunctionPolicy(lambda prompt, seed: 'Answer: 4', latency_seconds=60.0)\n"
        "try:\n"
        "    spex.api.solve_sync('a?', policy=slow, reward=spex.FunctionReward(lambda text: 0.5))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', slow.counters().running)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", "import spex.api\n" + program], capture_output=True, text=True, check=False, timeout=30
    )
    assert (ended.stdout, ended.stderr) == ("interrupted 0\n", "")


@pytest.mark.parametrize("problems", ["one question", None, 5])
def test_problems_that_are_no_list_of_problems_are_refused(problems: object) -> None:
    with pytest.raises(InputError, match="problems"):
        spex.run_sync(problems, policy=FunctionPolicy(lambda _p, _s: "Answer: 1"))  # type: ignore[arg-type]


@pytest.mark.parametrize("log", [5, object(), "\0", "a" * 5000])
def test_a_log_that_is_none_is_refused(log: object) -> None:
    with pytest.raises(InputError, match="log"):
        spex.run_sync(["1 + 1?"], policy=FunctionPolicy(lambda _p, _s: "Answer: 1"), log=log)  # type: ignore[arg-type]


def test_no_reward_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="reward"):
        spex.run_sync(["1 + 1?"], policy=FunctionPolicy(lambda _p, _s: "Answer: 1"), reward={})


def test_a_solution_has_the_best_score_of_its_answer_and_none_where_it_was_never_scored() -> None:
    engine = FunctionPolicy(lambda prompt, seed: f"Work{'!' * (seed % 3)}\nAnswer: 42")
    reward = FunctionReward(lambda text: 0.25 + 0.25 * text.count("!"))
    solution = solve_sync("q", policy=engine, reward=reward, search=BestOfN(16))
    rewards = {solution.tree.reward(node) for node in solution.terminals}
    assert rewards == {0.25, 0.5, 0.75}
    assert solution.score == 0.75
    assert solve_sync("q", policy=engine, search=SelfConsistency(2), reward=reward).score is None
