"""Several servers as one engine: what some engines can do beside the usual, it can do where each of them can."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import exp

import pytest

from spex.api import setup_of
from spex.control.clock import run_virtual
from spex.control.scheduler import Scheduler
from spex.engine.abilities import Reading, namer_of, reader_of, renderer_of
from spex.engine.base import Message, Progress
from spex.engine.catalog import find_engine
from spex.engine.retrying import Retrying
from spex.engine.template import Templated
from spex.errors import InputError, Unreachable
from spex.policy import Policy
from spex.prompt import Prompt
from spex.reward.likelihood import Likelihood
from spex.tasks.text import Text
from spex.tasks.thinking import Thinking
from tests.engine.test_spread import Place, places, spread
from tests.reward.paths import path, request


class Able(Place):
    """A server that reads templates and texts of others (digits are less likely), and renders its chat template."""

    reads = True

    async def tokens(self, text: str) -> tuple[int, ...]:
        self._fail()
        return (len(text),)

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        self._fail()
        return (len(messages), int(enable_thinking))

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        self.asked.append(request.key)
        progress.spend(reward=request.prompt.token_count)
        self._fail()
        return tuple(-0.5 - (0.01 * (token - 47) if chr(token).isdigit() else 0.0) for token in request.read)


def test_control_tokens_are_told_by_servers_that_know_them() -> None:
    assert run_virtual(spread([Able("a"), Able("b")]).tokens("<s>")) == (3,)
    with pytest.raises(InputError, match="control tokens"):
        run_virtual(spread(places()).tokens("<s>"))


def test_what_each_of_them_can_do_it_can_do() -> None:
    engines = [Able("a"), Able("b")]
    engines[0].error = Unreachable("a", "gone")
    around, progress, asked_for = Retrying(spread(engines)), Progress(), Reading("p|score", Prompt([(1, 2, 3)]), 1)
    namer, renderer, reader = namer_of(around), renderer_of(around), reader_of(around)
    assert namer is not None
    assert renderer is not None
    assert reader is not None

    async def main() -> None:
        assert await namer.tokens("<s>") == (3,)
        assert await renderer.encode_thinking_chat([Message("user", "")], enable_thinking=True) == (1, 1)
        engines[0].asked.clear()
        await asyncio.sleep(31)
        assert await reader.read(asked_for, progress) == (-0.5, -0.5)

    run_virtual(main())
    assert [engine.asked for engine in engines] == [["p|score"], ["p|score"]]
    assert (progress.lost.reward, progress.cost.reward) == (3, 3)


def test_what_one_of_them_cannot_do_it_cannot_do() -> None:
    silent = Able("b")
    silent.reads = False
    assert reader_of(spread([Able("a"), silent])) is None
    mixed = spread([Able("a"), Place("b")])
    assert (namer_of(mixed), renderer_of(mixed), reader_of(mixed)) == (None, None, None)


def test_a_task_that_looks_for_its_tags_asks_only_servers_that_name_control_tokens() -> None:
    task = Thinking(Text())
    run_virtual(Policy(Retrying(spread(places())), task).check())

    class Closing(Able):
        async def tokens(self, text: str) -> tuple[int, ...]:
            return (7,)

    with pytest.raises(InputError, match="is a control token"):
        run_virtual(Policy(Retrying(spread([Closing("a"), Closing("b")])), task).check())


@pytest.mark.parametrize(("kind", "able"), [("sglang", True), ("vllm", True), ("openai", False)])
def test_servers_of_a_kind_can_together_do_what_one_can(kind: str, able: bool) -> None:
    one, two = find_engine(f"{kind}:http://127.0.0.1:3"), find_engine(f"{kind}:http://127.0.0.1:3,http://127.0.0.1:4")
    for ability in (namer_of, renderer_of, reader_of):
        assert (ability(one) is not None, ability(two) is not None) == (able, able)


@pytest.mark.parametrize("reads", [True, False])
def test_a_likelihood_may_have_several_servers_that_read(reads: bool) -> None:
    engines = [Able("a"), Able("b") if reads else Place("b")]
    reward = Likelihood(Retrying(spread(engines)))

    async def main() -> tuple[float, ...]:
        await reward.open()
        try:
            return await reward.score(request(path("x")), Progress())
        finally:
            await reward.close()

    if reads:
        assert run_virtual(main()) == pytest.approx((exp(-0.5),))
    else:
        with pytest.raises(InputError, match="log-probabilities"):
            run_virtual(main())
    assert [engine.opened for engine in engines] == [0, 0]


def test_a_template_may_be_told_to_several_servers_that_render_it() -> None:
    async def main(*engines: Place) -> tuple[int, ...]:
        around = Templated(Retrying(spread(engines)), "chat", enable_thinking=True)
        await around.open()
        try:
            return await around.encode_chat([Message("user", "")])
        finally:
            await around.close()

    assert run_virtual(main(Able("a"), Able("b"))) == (1, 1)
    with pytest.raises(InputError, match="renders no chat template"):
        run_virtual(main(*places()))


SPEC = "sglang:http://127.0.0.1:3,http://127.0.0.1:4"


@pytest.mark.parametrize("reward", ["judge", f"judge@{SPEC}", f"likelihood@{SPEC}", f"prm:math-shepherd-7b@{SPEC}"])
def test_servers_that_serve_policy_and_reward_have_one_lane(reward: str) -> None:
    made = setup_of({"policy": SPEC, "task": "text", "reward": reward, "enable_thinking": True})

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            scheduler = Scheduler(group, None)
            lane = scheduler.lane(made.policy.engine, serves_text=True)
            assert scheduler.lane(made.rewards["reward"].server, serves_text=False) is lane

    asyncio.run(main())


def test_several_servers_of_a_score_head_have_one_lane_and_not_the_policys() -> None:
    reward = f"prm:qwen2.5-math-prm-7b@{SPEC}"
    made = setup_of({"policy": SPEC, "task": "text", "reward": reward})

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            scheduler = Scheduler(group, None)
            server = made.rewards["reward"].server
            lane = scheduler.lane(server, serves_text=False)
            assert lane is not scheduler.lane(made.policy.engine, serves_text=True)
            assert lane.server is server

    asyncio.run(main())
