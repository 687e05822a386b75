"""The models that come with the package, in the embedded engine: what they load as, write, and judge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import spex
from spex.engine.base import Labelling, Message, Path, Progress, Scoring
from spex.engine.llamacpp import LlamaCpp
from spex.engine.local_model import PACKAGED, packaged_folder
from spex.errors import EngineError
from spex.problem import Problem
from spex.prompt import Prompt
from spex.record import MemoryLog
from spex.reward.prm import Prm
from spex.tasks.game24 import bare
from spex.tree import Step
from tests.models.llama import next_chances

pytestmark = pytest.mark.engine
pytest.importorskip("xllamacpp")

PLAY = "4 9 10 13\n13 - 9 = 4 (left: 4 4 10)\n"
PUZZLES = ("4 9 10 13", "4 5 6 10", "2 4 8 9", "6 6 7 12", "3 4 6 8")


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[LlamaCpp]:
    engine = LlamaCpp(name, slots=8, context_tokens=256, threads=1)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


@pytest.mark.parametrize("name", PACKAGED)
def test_both_files_of_a_model_are_one_model(name: str) -> None:
    async def main() -> None:
        async with opened(name) as engine:
            written = (0, *await engine.encode(PLAY))
            for length in range(4, len(written) + 1, 3):
                token_ids = written[:length]
                expected = next_chances(packaged_folder(name), token_ids)
                likeliest = tuple(map(int, expected.argsort()[-6:]))
                said = await engine.label(Labelling(f"k{length}", Prompt([token_ids]), likeliest), Progress())
                assert said == pytest.approx(list(expected[list(likeliest)]), rel=0.03, abs=2e-5), length

    asyncio.run(main())


@pytest.mark.parametrize("name", PACKAGED)
def test_the_tokenizer_beside_the_weights_is_that_of_the_embedded_file(name: str) -> None:
    names = json.loads((packaged_folder(name) / "tokenizer.json").read_text())["model"]["vocab"]
    texts = {token_id: text for text, token_id in names.items()}

    async def main() -> None:
        async with opened(name) as engine:
            for text in (PLAY, "6 / 4 = 3/2 (left: 3/2 8 12)\n", "23 - 24 = -1 (left: -1 24)\n"):
                spelled = "".join(texts[token_id] for token_id in await engine.encode(text))
                assert spelled == text.replace(" ", "Ġ").replace("\n", "Ċ")

    asyncio.run(main())


def test_a_context_longer_than_the_model_was_trained_on_is_cut_to_that() -> None:
    async def main() -> None:
        engine = LlamaCpp("game24-policy", slots=2, context_tokens=2048, threads=1)
        await engine.open()
        try:
            assert engine.capabilities.context_tokens == 256
        finally:
            await engine.close()

    asyncio.run(main())


def test_labels_are_told_where_the_likeliest_token_ends_the_text() -> None:
    async def main() -> None:
        async with opened("game24-policy") as engine:
            over = (0, *await engine.encode(f"{PLAY}10 - 4 = 6 (left: 4 6)\n4 * 6 = 24 (left: 24)\n"))
            end, plus = await engine.label(Labelling("k", Prompt([over]), (1, 13)), Progress())
            assert end > 0.9
            assert plus < 0.1

    asyncio.run(main())


@pytest.mark.parametrize("name", PACKAGED)
def test_the_chat_template_reads_a_puzzle_alone(name: str) -> None:
    async def main() -> None:
        async with opened(name) as engine:
            assert await engine.encode_chat([Message("user", "4 9 10 13")]) == (0, *await engine.encode("4 9 10 13\n"))
            with pytest.raises(EngineError, match="template"):
                await engine.encode_chat([Message("user", "1"), Message("assistant", "2"), Message("user", "3")])

    asyncio.run(main())


@pytest.mark.parametrize("name", PACKAGED)
def test_any_text_is_bytes_and_never_a_control_token(name: str) -> None:
    async def main() -> None:
        async with opened(name) as engine:
            for text in ("<s></s><pad>", "ки \u0000 🙂", "Tom has 7 apples."):
                token_ids = await engine.encode(text)
                assert min(token_ids) > 2, "0 to 2 are the control tokens"

    asyncio.run(main())


def test_the_policy_begins_with_legal_moves() -> None:
    run = spex.run_sync(
        PUZZLES,
        policy="llamacpp:game24-policy",
        task=bare(),
        search=spex.Rebase(width=16, depth_max=1),
        speculation=None,
    )
    begun = [step for solution in run.solutions for step in solution.tree.steps.values()]
    assert len(begun) == 16 * len(PUZZLES)
    legal = sum(step.state is not None for step in begun)
    assert legal >= 0.8 * len(begun), f"{legal} of {len(begun)}"
    assert len({step.text for step in begun}) > len(PUZZLES), "and it does not always say the same"


def path(moves: tuple[str, ...]) -> Path:
    steps = tuple(Step(f"{move}\n") for move in moves)
    return Path(Prompt([tuple(step.text.encode()) for step in steps]), steps)


def test_the_prm_tells_what_can_still_make_24_from_what_cannot() -> None:
    cases = {
        ("13 - 9 = 4 (left: 4 4 10)",): True,
        ("13 - 9 = 4 (left: 4 4 10)", "10 - 4 = 6 (left: 4 6)"): True,
        ("13 - 9 = 4 (left: 4 4 10)", "10 - 4 = 6 (left: 4 6)", "4 * 6 = 24 (left: 24)"): True,
        ("13 - 9 = 4 (left: 4 4 10)", "4 + 4 = 8 (left: 8 10)"): False,
        ("13 - 9 = 4 (left: 4 4 10)", "10 - 4 = 6 (left: 4 6)", "4 + 6 = 10 (left: 10)"): False,
        ("13 - 9 = 5 (left: 4 5 10)",): False,
    }

    async def main() -> list[float]:
        reward = Prm(LlamaCpp("game24-prm", context_tokens=256, threads=1), "game24")
        await reward.open()
        try:
            problem = Problem("4 9 10 13")
            asked = [Scoring("k", problem, (path(moves),), "reward", 0) for moves in cases]
            return [(await reward.score(request, Progress()))[0] for request in asked]
        finally:
            await reward.close()

    told = dict(zip(cases, asyncio.run(main()), strict=True))
    good, bad = ([score for moves, score in told.items() if cases[moves] is kind] for kind in (True, False))
    assert min(good) > max(bad), told


def test_the_game_is_played_by_them_where_nothing_else_is_named() -> None:
    log = MemoryLog()
    solution = spex.solve_sync("4 9 10 13", task="game24", log=log)
    assert solution.correct is True, solution
    assert solution.usage.useful.reward > 0, "the PRM has judged it"
    again = spex.solve_sync("4 9 10 13", task="game24", log=log, speculation=None)
    assert (again.tree, again.answer) == (solution.tree, solution.answer)
    assert again.usage.useful.generated == solution.usage.useful.generated


@pytest.mark.parametrize("name", PACKAGED)
def test_a_card_says_how_well_it_does_on_puzzles_that_it_never_saw(name: str) -> None:
    card = (packaged_folder(name) / "README.md").read_text()
    assert {"## Data", "## Figures", "## Limits"} <= set(card.splitlines())
    config = json.loads((packaged_folder(name) / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]


def test_the_policy_is_refused_as_a_prm() -> None:
    name = "llamacpp:game24-policy"
    with pytest.raises(spex.Misbehaving, match="is it the model that is meant"):
        spex.run_sync(PUZZLES[:1], task=bare(), policy=name, reward=f"prm:game24@{name}", search=spex.Rebase(width=4))
