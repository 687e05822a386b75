"""A score head at several servers: scores are those of one, one that is away is done without, another model refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from spex.control.others import tells
from spex.engine.abilities import Identity, identity_of, load_of
from spex.engine.base import Progress
from spex.engine.base import Server as BaseServer
from spex.errors import InputError, LogMismatch, Unreachable
from spex.record import MemoryLog
from spex.reward.base import Reward
from spex.reward.function import FunctionReward
from spex.reward.named import find_reward
from spex.reward.recorded import RecordedReward
from spex.reward.score_head import ScoreHead
from spex.reward.spread import SpreadReward
from tests.builders import policy
from tests.engine.listening import listening
from tests.reward.paths import path, request
from tests.reward.test_score_head import TAGGED, Server

ASKED = request(path("2 + 3 = 5\n", "Answer: 5"), path("2 + 3 = 6\n"))


@asynccontextmanager
async def heads(*servers: Server) -> AsyncIterator[SpreadReward]:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(listening(server.serve)) for server in servers]
        reward = SpreadReward("prm", [ScoreHead(f"vllm:{url}", TAGGED) for url in urls])
        await reward.open()
        stack.push_async_callback(reward.close)
        yield reward


async def score(reward: Reward) -> tuple[float, ...]:
    return await reward.score(ASKED, Progress())


def test_its_scores_are_those_of_one_server() -> None:
    async def main() -> None:
        first, second = Server(), Server()
        async with heads(first, second) as reward, listening(Server().serve) as url:
            alone = ScoreHead(f"vllm:{url}", TAGGED)
            await alone.open()
            assert await score(reward) == await score(alone)
            await alone.close()
            assert reward.capabilities.slots == 2 * alone.server.capabilities.slots
            assert reward.counters().running == 0
            assert reward.counters().cost.reward > 0

    asyncio.run(main())


def test_what_fails_at_one_comes_from_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ScoreHead):
        async def score(self, request: object, progress: Progress) -> tuple[float, ...]:
            progress.spend(reward=3)
            if request is ASKED:
                raise Unreachable(self.name, "gone")
            return await super().score(request, progress)  # type: ignore[arg-type]

    async def main() -> None:
        async with listening(Server().serve) as one, listening(Server().serve) as other:
            reward = SpreadReward("prm", [Broken(f"vllm:{one}", TAGGED), ScoreHead(f"vllm:{other}", TAGGED)])
            await reward.open()
            progress = Progress()
            assert len(await reward.score(ASKED, progress)) == 2
            assert list(reward.moved.values()) == [1, 0]
            assert progress.lost.reward == 3
            await reward.close()

    asyncio.run(main())


def test_servers_of_different_models_are_refused_and_none_is_left_open() -> None:
    other = Server()
    other.spoilt_from = 0
    other.spoil = lambda answer: (
        {**answer, "data": [{"index": 0, "data": [[0.9, 0.1 - 0.01 * n] for n, _ in enumerate(other.asked)][-1:] * 2}]}
        if "data" in answer
        else answer
    )

    async def main() -> None:
        with pytest.raises(InputError, match="of one model"):
            async with heads(Server(), other):
                pass

    asyncio.run(main())


def test_a_log_of_another_models_scores_is_refused() -> None:
    async def main() -> None:
        servers, log = (Server(), Server()), MemoryLog()
        async with AsyncExitStack() as stack:
            urls = [await stack.enter_async_context(listening(server.serve)) for server in servers]
            recorded = RecordedReward(SpreadReward("prm", [ScoreHead(f"vllm:{url}", TAGGED) for url in urls]), log)
            await recorded.open()
            assert identity_of(recorded.server) == Identity("vLLM 0.32.0", "/models/prm")
            await recorded.close()
            for server in servers:
                server.model = "/models/other"
            with pytest.raises(LogMismatch, match=r"'/models/prm', and prm now has '/models/other'"):
                await recorded.open()

    asyncio.run(main())


def test_what_others_have_on_its_servers_is_heard() -> None:
    class Told(ScoreHead):
        @property
        def server(self) -> Servant:
            return Servant(super().server)

    class Servant:
        """A server that has three requests by its own count, unless it is away."""

        identity = Identity()
        away = False

        def __init__(self, server: BaseServer) -> None:
            self.name, self.capabilities, self.counters = server.name, server.capabilities, server.counters

        async def load(self) -> int | None:
            if self.away and self.name.endswith("2"):
                raise Unreachable(self.name, "gone")
            return 3

    async def main() -> None:
        reward = SpreadReward("prm", [Told(f"vllm:http://127.0.0.1:{number}", TAGGED) for number in (1, 2)])
        assert tells(reward.server)
        assert await load_of(reward.server) == 6
        Servant.away = True
        assert await load_of(reward.server) == 3

    asyncio.run(main())


def test_servers_are_compared_by_what_their_form_knows() -> None:
    asked: list[str] = []

    def score(text: str) -> float:
        asked.append(text)
        return 0.5

    async def main() -> None:
        heads = [FunctionReward(score, name=name) for name in ("one", "other")]
        reward = SpreadReward("prm", heads, ("1 + 1", ("It is ", "2."), ("It is 3.",)))
        await reward.open()
        await reward.close()

    asyncio.run(main())
    assert asked == ["It is 2."] * 2


def test_a_form_of_a_head_with_several_addresses_names_them_all() -> None:
    spec = "prm:qwen2.5-math-prm-7b@vllm:http://127.0.0.1:1,http://127.0.0.1:2"
    reward = find_reward(spec, policy())
    assert isinstance(reward, SpreadReward)
    assert reward.name.endswith("@vllm:http://127.0.0.1:1,http://127.0.0.1:2")
    assert len(reward.moved) == 2
    with pytest.raises(InputError):
        find_reward("prm:qwen2.5-math-prm-7b@vllm:http://127.0.0.1:1,http://127.0.0.1:1", policy())
