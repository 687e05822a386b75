"""Reasoning models: where a text thinks, what counts as its answer, what the reward sees, and when thinking is over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import spex
from spex.control.clock import run_virtual
from spex.control.run import Conduct
from spex.control.run import run as carry_out
from spex.control.setup import Setup, Speculation, recorded, replayed
from spex.engine.base import Capabilities, Completion, Generation, Progress, Scoring, innermost
from spex.engine.base import Path as Solved
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.engine.text_tokens import transcript
from spex.errors import InputError
from spex.ids import ROOT, Expand
from spex.policy import Policy
from spex.problem import Problem
from spex.profile import Affine
from spex.record import MemoryLog
from spex.reward.catalog import served
from spex.search.base import AnySearch
from spex.search.catalog import models_of
from spex.seeds import draw
from spex.tasks.game24 import Game24
from spex.tasks.gsm8k import Gsm8k
from spex.tasks.tags import Tags
from spex.tasks.text import Text
from spex.tasks.thinking import Thinking
from spex.testing.difference import first_difference
from spex.tree import End, Step, Tree
from spex.usage import Tokens
from tests.builders import demand, grow, rate, read, rule, stop
from tests.search.small import NAMES, small
from tests.swarm.markets import Greedy, Whim

PROBLEM = Problem("What is 2 + 2?", id="p", answer="4")
TASK = Thinking(Text())


def said(text: str, end: End = "delimiter") -> Completion:
    return Completion(text, tuple(text.encode()), (-0.5,) * len(text.encode()), end)


def path_of(*texts: str, task: Thinking = TASK) -> tuple[Step, ...]:
    path: tuple[Step, ...] = ()
    for text in texts:
        path += task.read(PROBLEM, path, "step", said(text))
    return path


def solved(policy: Callable[[str, int], object], task: Thinking = TASK, **more: object) -> spex.Solution:
    options = {"search": spex.BestOfN(width=1), "reward": "arithmetic", "speculation": None, **more}
    engine = spex.FunctionPolicy(policy)  # type: ignore[arg-type]  # hostile ones
    return spex.solve_sync(PROBLEM, policy=engine, task=task, **options)  # type: ignore[arg-type]


# Where a text thinks


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("so 4", None),
        ("so 4</think>Answer: 4", "Answer: 4"),
        ("<think>so 4</think>Answer: 4", "Answer: 4"),
        ("<think>a<think>b</think>c</think>d", "c\nd"),
        ("a</think>b</think>c", "b\nc"),
        ("a</think>b<think>Answer: 5</think>c", "b\nc"),
        ("a</think>b<think>Answer: 5", "b"),
        ("a</think></think></think>", "\n\n"),
        ("a</thi", None),
        ("a< /think>b", None),
        ("</think>", ""),
    ],
)
def test_what_is_between_tags_is_thought_and_what_is_behind_the_first_closing_one_is_spoken(
    text: str, spoken: str | None
) -> None:
    assert Tags().spoken(text) == spoken


def test_a_path_is_parted_by_its_first_closing_tag_with_the_tokens_that_are_each_ones() -> None:
    path = [
        Step(text, tuple(text.encode()), (-0.5,) * len(text.encode()))
        for text in ("é one\n\n", "two</th", "ink>é", "three")
    ]
    thought, spoken = Tags().halves(path)
    assert [step.text for step in thought] == ["é one\n\n", "two"]
    assert [step.text for step in spoken] == ["é", "three"]
    for step in (*thought, *spoken):
        assert step.token_ids == tuple(step.text.encode())
        assert step.logprobs is not None
        assert len(step.logprobs) == step.token_count


def test_a_step_of_few_tokens_gives_each_half_its_share_of_them() -> None:
    step = Step("ab</think>cdefgh", (1, 2, 3, 4), (-1.0, -2.0, -3.0, -4.0))
    thought, spoken = Tags().halves([step])
    assert [part.text for part in (*thought, *spoken)] == ["ab", "cdefgh"]
    assert spoken[0].token_ids == (3, 4)
    assert spoken[0].logprobs == (-3.0, -4.0)


# Steps and answers


def test_steps_end_at_a_blank_line_or_with_the_thinking_and_the_answer_is_one_step_that_ends_the_path() -> None:
    assert TASK.form("step").stop == ("\n\n", "</think>")
    path = path_of("<think>\nsay\n\n", "2 and 2\n\n</think>")
    assert [step.terminal for step in path] == [False, False]
    assert TASK.form_at(path, "step", 7).stop == ()
    assert TASK.form_at(path, "step", 7).tokens_max == Text().solution_tokens_max
    (last,) = TASK.read(PROBLEM, path, "step", said("\n\nIt is \\boxed{4}.", "eos"))
    assert (last.terminal, last.answer) == (True, "4")


@pytest.mark.parametrize("action", ["step", "solution"])
@pytest.mark.parametrize("end", ["delimiter", "eos", "length", "context"])
def test_an_answer_inside_of_the_thinking_is_none(action: str, end: End) -> None:
    (step,) = TASK.read(PROBLEM, (), action, said("Answer: 5\nor \\boxed{6}\n\n", end))
    assert step.answer is None
    assert step.terminal is (end in ("eos", "context") or action == "solution")


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (("<think>a<think>Answer: 5</think>", "Answer: 6\n</think>Answer: 7"), "6"),
        (("Answer: 5\n</think>", "</think>\nAnswer: 4"), "4"),
        (("a</thi", "nk>", "Answer: 4"), "4"),
        (("a</thi", "nk>Answer: ", "4"), "4"),
        (("a</think>", "<think>Answer: 5</think>Answer: 4"), "4"),
        (("a</think>", "<think>Answer: 5"), None),
        (("a</think>", ""), None),
        (("Answer: 5</think>", "I do not know."), None),
    ],
)
def test_tags_that_are_nested_doubled_or_cut_leave_one_reading(texts: tuple[str, ...], answer: str | None) -> None:
    *before, last = texts
    path = path_of(*before)
    assert not any(step.terminal for step in path)
    (step,) = TASK.read(PROBLEM, path, "step", said(last, "eos"))
    assert (step.terminal, step.answer) == (True, answer)


def test_each_task_reads_its_own_answers_behind_the_thinking() -> None:
    (number,) = Thinking(Gsm8k()).read(PROBLEM, path_of("#### 5</think>"), "step", said("#### 1,000", "eos"))
    assert number.answer == "1000"
    puzzle, moves = Problem("4 4 6 8"), "4 + 8 = 12 (left: 4 6 12)\n6 - 4 = 2 (left: 2 12)\n2 * 12 = 24 (left: 24)"
    task = Thinking(Game24())
    (step,) = task.read(puzzle, path_of("hm</think>"), "step", said(moves, "eos"))
    assert step.answer is not None
    assert task.check(puzzle, step.answer)
    assert Thinking(Text()).check(PROBLEM, "4 ")
    assert task.normalise("6 * 4") == Game24().normalise("6 * 4")


def test_an_answer_that_the_end_of_the_context_touches_is_none() -> None:
    path = path_of("hm</think>")
    for end, answer in (("context", None), ("length", None), ("eos", "4")):
        (step,) = TASK.read(PROBLEM, path, "step", said("Answer: 4", end))  # type: ignore[arg-type]  # ends
        assert (step.terminal, step.answer) == (True, answer)


def test_a_thinker_knows_the_tasks_steps_and_questions_and_no_more() -> None:
    assert TASK.form("subquestion").cue
    with pytest.raises(InputError, match="none but step, solution"):
        Thinking(Game24()).form("propose")
    with pytest.raises(InputError):
        TASK.form("dance")


# The budget


def test_a_step_is_no_longer_than_what_is_left_of_the_thinking() -> None:
    task = Thinking(Text(), tokens_max=10, step_tokens_max=6)
    assert task.form("step").tokens_max == 6
    assert task.form("solution").tokens_max == 10
    assert task.form_at(path_of("seven67"), "step", None).tokens_max == 3
    assert task.form_at(path_of("seven67"), "step", 2).tokens_max == 2


def test_what_ends_by_itself_or_with_the_context_is_not_closed() -> None:
    task = Thinking(Text(), tokens_max=5)
    ends: tuple[End, ...] = ("eos", "context")
    for end in ends:
        for action in ("step", "solution"):
            assert task.further((), action, said("I think", end)) is None
    assert task.further((), "step", said("I think", "length")) is not None


def test_a_limit_of_steps_is_none_of_whole_solutions_and_answers() -> None:
    policy = Policy(spex.FunctionPolicy(lambda prompt, seed: ""), TASK, step_tokens_max=3)
    assert policy.form((), "step").tokens_max == 3
    assert policy.form((), "subquestion").tokens_max == TASK.step_tokens_max
    assert policy.form((), "solution").tokens_max == TASK.tokens_max
    assert policy.form(path_of("hm</think>"), "step").tokens_max == Text().solution_tokens_max


def test_the_two_texts_of_a_call_have_seeds_of_their_own() -> None:
    seeds: list[int] = []

    def policy(prompt: str, seed: int) -> str:
        seeds.append(seed)
        return "so</think>"

    solved(policy)
    assert len(set(seeds)) == len(seeds) == 2


def test_spent_thinking_is_closed_by_given_tokens_that_count_as_certain_and_the_answer_follows() -> None:
    asked: list[str] = []

    def policy(prompt: str, seed: int) -> tuple[str, float]:
        asked.append(prompt.rpartition("Assistant: ")[2])
        return ("Answer: 4", -0.5) if "</think>" in prompt else ("thinking on and on", -0.5)

    solution = solved(policy, Thinking(Text(), tokens_max=12, step_tokens_max=8), search=spex.Rebase(width=1))
    path = solution.tree.path(solution.terminals[0])
    assert [step.text for step in path] == ["thinking", "thin\n</think>\n\n", "Answer: 4"]
    assert asked == ["", "thinking", "thinkingthin\n</think>\n\n"]
    assert all(step.token_ids == tuple(step.text.encode()) for step in path)
    assert path[1].logprobs == (-0.5,) * 4 + (0.0,) * len("\n</think>\n\n")
    assert solution.answer == "4"


def test_a_whole_solution_is_closed_within_its_one_call() -> None:
    def policy(prompt: str, seed: int) -> str:
        return f"Answer: {seed % 7}" if "</think>" in prompt else f"{seed} is what I think"

    solution = solved(policy, Thinking(Text(), tokens_max=5), search=spex.BestOfN(width=4))
    texts = [solution.tree.steps[node].text for node in solution.terminals]
    assert len(texts) == 4
    assert all(text[5:].startswith("\n</think>\n\nAnswer: ") for text in texts)
    assert len(set(texts)) > 1
    assert solution.usage.useful.generated == sum(5 + len("Answer: 4") for _ in texts)


def test_a_whole_solution_that_closes_by_itself_goes_on_with_its_answer() -> None:
    def policy(prompt: str, seed: int) -> str:
        return "\n\nAnswer: 4" if prompt.endswith("</think>") else "two\n\nand two</think>Answer: 5"

    assert solved(policy).answer == "4"


def test_spent_thinking_ends_without_an_answer_where_that_is_wanted() -> None:
    def policy(prompt: str, seed: int) -> str:
        return "Answer: 4 and so on"

    for search in (spex.BestOfN(width=1), spex.Rebase(width=1)):
        solution = solved(policy, Thinking(Text(), tokens_max=10, step_tokens_max=6, spent="end"), search=search)
        assert solution.answer is None
        assert solution.error is None
        assert solution.partial is None
        (terminal,) = solution.terminals
        assert sum(step.token_count for step in solution.tree.path(terminal)) == 10


def test_a_budget_too_small_for_a_character_is_spent_all_the_same() -> None:
    def policy(prompt: str, seed: int) -> str:
        return "Answer: 4" if "</think>" in prompt else "é" * 9

    for search in (spex.BestOfN(width=1), spex.Rebase(width=1)):
        assert solved(policy, Thinking(Text(), tokens_max=5, step_tokens_max=2), search=search).answer == "4"


def test_a_model_that_never_closes_its_thinking_has_no_answer() -> None:
    solution = solved(lambda prompt, seed: "Answer: 4", search=spex.Rebase(width=2))
    assert solution.answer is None
    assert all(solution.tree.steps[node].terminal for node in solution.terminals)


def test_steps_without_a_delimiter_are_chunks_of_one_length() -> None:
    task = Thinking(Text(), delimiter="", step_tokens_max=4, tokens_max=12)
    policy = lambda prompt, seed: "Answer: 4" if "</think>" in prompt else "a\n\nb\n\nc\n\nd\n\n"  # noqa: E731
    solution = solved(policy, task, search=spex.Rebase(width=1))
    texts = [step.text for step in solution.tree.path(solution.terminals[0])]
    assert texts == ["a\n\nb", "a\n\nb", "a\n\nb\n</think>\n\n", "Answer: 4"]


def test_a_call_of_two_texts_goes_on_from_its_log_with_neither_of_them_written_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def policy(prompt: str, seed: int) -> str:
        calls.append(prompt)
        return f"Answer: {seed % 7}" if "</think>" in prompt else "I think"

    task, search = Thinking(Text(), tokens_max=5), spex.BestOfN(width=3)
    first = solved(policy, task, search=search, log=tmp_path / "log")
    assert len(calls) == 6
    again = solved(policy, task, search=search, log=tmp_path / "log")
    assert len(calls) == 6
    assert first_difference(first.tree, again.tree) is None


class Halting(spex.FunctionPolicy):
    """Writes the two texts of a call, but of the second one a letter at first, and then nothing."""

    def __init__(self) -> None:
        super().__init__(lambda prompt, seed: "Answer: 4" if "</think>" in prompt else "I think")
        self.texts: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, seed="none", resumes=True)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        kept = bytes(progress.token_ids).decode()
        self.texts.append(f"{bytes(request.prompt.token_ids).decode()[-6:]}|{kept}")
        if "</think>" in bytes(request.prompt.token_ids).decode() and not kept:
            self._spend(progress, generated=1)
            progress.token_ids.append(ord("A"))
            progress.text = "A"
            await asyncio.sleep(60.0)
        return await super().generate(request, progress)


def test_a_call_that_is_stopped_in_its_second_text_goes_on_from_there() -> None:
    engine, progress, call = Halting(), Progress(), Expand(ROOT, "solution")
    policy = Policy(engine, Thinking(Text(), tokens_max=5))

    async def write() -> Completion:
        return await policy.write(PROBLEM, await policy.prompt(PROBLEM), (), call, 0, progress)

    async def main() -> Completion:
        writing = asyncio.ensure_future(write())
        await asyncio.sleep(1.0)
        progress.demanded = False
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert progress.is_begun
        assert progress.cost == engine.counters().cost
        progress.demanded = True
        return await write()

    written = run_virtual(main())
    assert engine.texts == ["tant: |", "ink>\n\n|", "ink>\n\n|A"]
    assert written.text == "I thi\n</think>\n\nAnswer: 4"
    assert progress.cost == engine.counters().cost
    assert progress.parts == []


def test_a_call_that_is_begun_anew_has_nothing_of_its_texts_and_what_they_cost_is_lost() -> None:
    engine, progress, call = Halting(), Progress(), Expand(ROOT, "solution")
    policy = Policy(engine, Thinking(Text(), tokens_max=5))

    async def main() -> None:
        prompt = await policy.prompt(PROBLEM)
        writing = asyncio.ensure_future(policy.write(PROBLEM, prompt, (), call, 0, progress))
        await asyncio.sleep(1.0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        progress.fail(keeps_tokens=True)
        assert progress.is_begun
        progress.fail()

    run_virtual(main())
    assert not progress.is_begun
    assert (progress.cost, progress.lost) == (Tokens(), engine.counters().cost)


# The end of the context


class Short(spex.FunctionPolicy):
    """Has a context of so many tokens, the last of which it keeps free, and refuses a prompt that fills it."""

    context = 0

    @property
    def capabilities(self) -> spex.Capabilities:
        return replace(super().capabilities, context_tokens=self.context)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        room = self.context - 1 - request.prompt.token_count
        assert room > 0
        completion = await super().generate(request, progress)
        if len(completion.token_ids) <= room:
            return completion
        return said(completion.text[:room], "context")


@pytest.mark.parametrize("room", range(1, 50))
@pytest.mark.parametrize("search", [spex.BestOfN(width=1), spex.Rebase(width=2, depth_max=30)])
def test_wherever_the_context_ends_that_is_a_path_without_an_answer_and_no_error(room: int, search: AnySearch) -> None:
    engine = Short(lambda prompt, seed: "Answer: 4\n\n" if "</think>" in prompt else "think\n\n" * 4)
    Short.context = len(transcript(TASK.messages(PROBLEM)).encode()) + room + 1
    solution = spex.solve_sync(
        PROBLEM,
        policy=engine,
        task=Thinking(Text(), tokens_max=20),
        search=search,
        reward=spex.Verifier(lambda problem, path: 0.5),
        speculation=None,
    )
    assert (solution.error, solution.partial) == (None, None)
    assert solution.answer == ("4" if room >= 20 + len("\n</think>\n\nAnswer: 4\n") else None)
    assert all(solution.tree.steps[node].terminal for node in solution.terminals)


# What the reward sees


def test_a_search_s_other_models_see_all_of_it() -> None:
    seen: dict[str, str] = {}

    def judge(model: str) -> spex.Reward:
        def verdict(problem: Problem, path: Solved) -> float:
            seen[model] = path.text
            return 0.5

        return spex.Verifier(verdict)

    search = rule(demand(grow(0), rate(0), rate(0, model="other")), read(rate(0), rate(0, model="other")), stop())
    solved(
        lambda prompt, seed: "so 4</think>",
        Thinking(Text(), reward_sees="answer"),
        search=search,
        reward={"reward": judge("reward"), "other": judge("other")},
    )
    assert seen == {"reward": "", "other": "so 4</think>"}


@pytest.mark.parametrize(
    ("sees", "texts"),
    [
        ("whole", ["a\n\n", "b</think>", "Answer: 4"]),
        ("thinking", ["a\n\n", "b"]),
        ("answer", ["Answer: 4"]),
    ],
)
def test_the_reward_sees_what_it_is_to_see(sees: str, texts: Sequence[str]) -> None:
    task = Thinking(Text(), reward_sees=sees)  # type: ignore[arg-type]  # drawn
    seen: dict[int, list[str]] = {}

    def judge(problem: Problem, path: Solved) -> float:
        seen[len(path.prompt.segments)] = [step.text for step in path.steps]
        return 0.5

    words = {"": "a\n\n", "a\n\n": "b</think>", "a\n\nb</think>": "Answer: 4"}
    solution = solved(
        lambda prompt, seed: words[prompt.rpartition("Assistant: ")[2]],
        task,
        search=spex.Rebase(width=1),
        reward=spex.Verifier(judge),
    )
    assert solution.answer == "4"
    assert seen[max(seen)] == texts
    before = seen[min(seen)]
    assert before == ([] if sees == "answer" else ["a\n\n"])


# Refusals


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"tokens_max": 0}, "tokens_max"),
        ({"tokens_max": True}, "tokens_max"),
        ({"tokens_max": 1.5}, "tokens_max"),
        ({"step_tokens_max": 0}, "step_tokens_max"),
        ({"answer_tokens_max": 0}, "answer_tokens_max"),
        ({"spent": "stop"}, "spent"),
        ({"reward_sees": "all"}, "reward_sees"),
        ({"delimiter": "x"}, "delimiter"),
        ({"begin": "<think></think>"}, "begin"),
        ({"close_tag": " "}, "close_tag"),
        ({"open_tag": "think"}, "open_tag"),
        ({"open_tag": "</think>"}, "open_tag"),
    ],
)
def test_what_is_not_acceptable_is_refused_by_its_name(more: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        Thinking(Text(), **more)  # type: ignore[arg-type]  # what is not acceptable
    assert caught.value.field == field


class Templating(spex.FunctionPolicy):
    """An engine for which the closing tag is one control token."""

    async def tokens(self, text: str) -> tuple[int, ...]:
        return (7,) if text == "</think>" else tuple(text.encode())


def test_a_tag_that_no_text_shows_is_refused_when_the_engine_opens() -> None:
    engine = Templating(lambda prompt, seed: "x")
    with pytest.raises(InputError, match="control token") as caught:
        spex.solve_sync(PROBLEM, policy=engine, task=TASK)
    assert caught.value.field == "task"
    solution = spex.solve_sync(PROBLEM, policy=engine, task=Thinking(Text(), close_tag="</t>"), reward="arithmetic")
    assert solution.error is None


def test_the_assistant_is_made_to_begin_as_it_is_told() -> None:
    prompts: list[str] = []

    def policy(prompt: str, seed: int) -> str:
        prompts.append(prompt)
        return "so</think>"

    solved(policy, Thinking(Text(), begin="<think>\n"), reward="arithmetic")
    assert prompts[0].endswith("Assistant: <think>\n")


# G1


PIECES = (
    "<think>",
    "</think>",
    "<",
    "/think>",
    "</thi",
    "nk>",
    "\n\n",
    "Answer: 4\n",
    "Answer: 5",
    " so",
    "é",
    "\\boxed{6}",
)


def hostile(request: Generation) -> Completion:
    """Pieces of tags and answers, as the seed has it, cut as the request says."""
    count = 1 + int(9 * draw(request.seed, 0, 0))
    text = "".join(PIECES[int(len(PIECES) * draw(request.seed, 1, place))] for place in range(count))
    ends = [found + len(stop) for stop in request.stop if (found := text.find(stop)) >= 0]
    data = text[: min(ends, default=len(text))].encode()[: request.tokens_max]
    text = data.decode(errors="ignore")
    end: End = (
        "delimiter"
        if ends and len(data) < request.tokens_max
        else "length"
        if draw(request.seed, 2, 0) < 0.7
        else "eos"
    )
    return Completion(text, tuple(text.encode()), (-0.5,) * len(text.encode()), end)


def judged(request: Scoring) -> tuple[float, ...]:
    return tuple(0.1 + 0.8 * draw(sum(path.text.encode()) + len(path.steps), 0, 0) for path in request.paths)


class Unseeded(SimulatedPolicy):
    """Draws a text anew each time that it is begun, whatever its seed; goes on from tokens."""

    def __init__(self) -> None:
        super().__init__(self._drawn, Affine(0.01, 0.0001), cancel_delay_seconds=0.05)
        self._begun: Counter[str] = Counter()
        self._written: set[str] = set()
        self.drawn_afresh: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, seed="none", resumes=True)

    def _drawn(self, request: Generation) -> Completion:
        return hostile(replace(request, seed=request.seed + self._begun[request.key]))

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        if not progress.token_ids:
            self._begun[request.key] += 1
            if request.key in self._written:
                self.drawn_afresh.append(request.key)
        try:
            return await super().generate(request, progress)
        finally:
            if progress.token_ids:
                self._written.add(request.key)


@pytest.mark.parametrize("name", NAMES)
def test_where_seeds_do_nothing_no_text_that_has_begun_is_drawn_afresh(name: str) -> None:
    """What was stopped because it is long would be shorter."""
    for seed in range(1, 9):
        engine = Unseeded()
        setup = hostile_setup(name, Thinking(Text(), 40, step_tokens_max=16), seed, Speculation(market=Whim(seed)))
        found(replace(setup, policy=replace(setup.policy, engine=engine)))
        assert engine.drawn_afresh == []


def hostile_setup(name: str, task: Thinking, seed: int, speculation: Speculation | None) -> Setup:
    return Setup(
        search=small(name),
        policy=Policy(SimulatedPolicy(hostile, Affine(0.01, 0.0001), cancel_delay_seconds=0.05), task),
        rewards=served({"reward": SimulatedReward(judged)}, models_of(small(name))),
        seed=seed,
        speculation=speculation,
    )


def found(setup: Setup) -> tuple[Tree, object]:
    run = run_virtual(carry_out([PROBLEM], setup, Conduct()))
    solution = run.solutions[0]
    assert solution.error is None
    usage, engine = solution.usage, innermost(setup.policy.engine)
    if isinstance(engine, SimulatedPolicy):
        spent = usage.useful.plus(usage.wasted).plus(usage.lost)
        assert spent.generated == engine.counters().cost.generated
        assert engine.counters().running == 0
    return solution.tree, (solution.answer, solution.terminals, solution.partial)


@pytest.mark.parametrize("name", NAMES)
def test_hostile_thinkers_are_searched_alike_with_speculation_and_without_and_from_the_log(name: str) -> None:
    for seed, spent, sees in ((1, "close", "whole"), (2, "close", "answer"), (3, "end", "thinking")):
        task = Thinking(Text(), 40, spent, sees, step_tokens_max=16)  # type: ignore[arg-type]  # drawn
        plain, outcome = found(hostile_setup(name, task, seed, None))
        for speculation in (Speculation(), Speculation(market=Greedy())):
            log = MemoryLog()
            setup = recorded(hostile_setup(name, task, seed, speculation), log)
            tree, speculative = found(setup)
            assert first_difference(plain, tree) is None
            assert speculative == outcome
            again, replay = found(replayed(setup, log))
            assert first_difference(plain, again) is None
            assert replay == outcome
