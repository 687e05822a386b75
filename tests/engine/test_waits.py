"""How long a server is waited for: as the options say it, so engines and rewards by name have it."""

from __future__ import annotations

import asyncio

import pytest

import spex
from spex.api import Options, setup_of
from spex.control.clock import run_virtual
from spex.engine.base import Completion, Generation, Progress
from spex.engine.catalog import find_engine
from spex.engine.http import Deadlines
from spex.engine.retrying import Retrying
from spex.engine.waits import Waits
from spex.errors import TimedOut, Unreachable
from spex.reward.likelihood import Likelihood
from spex.reward.named import find_reward
from tests.engine.listening import listening

SHORT = Deadlines(connect=2.0, first_token=0.2, token_gap=0.2)
GONE = "http://127.0.0.1:9"


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads what is asked, and says nothing."""
    await reader.read()


@pytest.mark.parametrize("kind", ["sglang", "vllm", "openai"])
def test_an_engine_by_name_has_the_deadlines_that_are_given(kind: str) -> None:
    async def main() -> None:
        async with listening(silence) as url:
            with pytest.raises(TimedOut, match=r"first_token of 0\.2 s ran out: .*--first-token-seconds"):
                await find_engine(f"{kind}:{url}", SHORT).open()

    asyncio.run(main())


def test_each_of_several_servers_has_them() -> None:
    async def main() -> None:
        async with listening(silence) as one, listening(silence) as other:
            with pytest.raises(TimedOut, match=r"0\.2 s"):
                await find_engine(f"vllm:{one},{other}", SHORT).open()

    asyncio.run(main())


def test_an_engine_in_this_process_that_has_none_is_made_as_before() -> None:
    assert find_engine("llamacpp:game24-policy", SHORT).name == find_engine("llamacpp:game24-policy").name


@pytest.mark.parametrize("name", ["judge@sglang", "rubric@vllm", "prm:math-shepherd-7b@vllm", "likelihood@sglang"])
def test_the_engine_of_a_reward_by_name_has_them_too(name: str) -> None:
    async def main() -> None:
        async with listening(silence) as url:
            reward = find_reward(f"{name}:{url}", spex.FunctionPolicy(lambda prompt, seed: ""), waits=Waits(SHORT))
            with pytest.raises(TimedOut, match=r"0\.2 s"):
                await reward.open()

    asyncio.run(main())


@pytest.mark.parametrize("several", [False, True])
def test_a_score_head_has_them_too(several: bool) -> None:
    async def main() -> None:
        async with listening(silence) as url, listening(silence) as other:
            spec = f"prm:qwen2.5-math-prm-7b@vllm:{url}" + (f",{other}" if several else "")
            reward = find_reward(spec, spex.FunctionPolicy(lambda prompt, seed: ""), waits=Waits(SHORT, 0.0))
            with pytest.raises(TimedOut, match=r"0\.2 s"):
                async with asyncio.timeout(30.0):  # with the usual patience it would be asked for a minute
                    await reward.open()

    asyncio.run(main())


@pytest.mark.parametrize(("patience_seconds", "fails"), [(0.0, True), (60.0, False)])
def test_patience_is_that_of_the_policy_whoever_has_made_it(patience_seconds: float, fails: bool) -> None:
    class Restarting(spex.FunctionPolicy):
        async def generate(self, request: Generation, progress: Progress) -> Completion:
            if asyncio.get_running_loop().time() < 35.0:
                raise Unreachable("mine", "gone")
            return await super().generate(request, progress)

    policy = Restarting(lambda prompt, seed: "Answer: 4")
    options: Options = {"policy": policy, "reward": "arithmetic", "search": spex.BestOfN(width=2)}
    options["patience_seconds"] = patience_seconds
    (solution,) = run_virtual(spex.run(["2 + 2?"], **options)).solutions
    assert isinstance(solution.error, Unreachable) == fails


def test_patience_goes_to_rewards_by_name_and_not_to_the_policy_s_engine_among_them() -> None:
    policy = Retrying(spex.FunctionPolicy(lambda prompt, seed: ""))
    spec = f"mean(judge@sglang:{GONE}, rubric@sglang:{GONE}, judge)"
    reward = find_reward(spec, policy, waits=Waits(patience_seconds=7.0))
    asked = {part.server.name: part.server for part in reward._rewards}  # type: ignore[attr-defined]
    theirs = asked[f"sglang:{GONE}"]
    assert isinstance(theirs, Retrying)
    assert theirs._patience_seconds == 7.0
    assert policy._patience_seconds == 60.0
    assert asked[policy.name] is policy


def test_likelihood_which_asks_the_engine_itself_is_as_patient() -> None:
    policy = Retrying(spex.FunctionPolicy(lambda prompt, seed: ""))
    reward = find_reward(f"likelihood@sglang:{GONE}", policy, waits=Waits(patience_seconds=7.0))
    assert isinstance(reward, Likelihood)
    assert reward._patience_seconds == 7.0


def test_a_deadline_is_refused_where_nothing_is_named_that_it_could_be_of() -> None:
    policy, reward = spex.FunctionPolicy(lambda prompt, seed: ""), spex.Arithmetic()
    with pytest.raises(spex.InputError, match="by name") as caught:
        setup_of({"policy": policy, "reward": reward, "token_gap_seconds": 5.0})
    assert caught.value.field == "token_gap_seconds"
    setup_of({"policy": policy, "reward": "arithmetic", "token_gap_seconds": 5.0})
