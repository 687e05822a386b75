"""Token-level speculation of engines: what they are known to draft with, what seeds are then, and what is refused."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from spex.engine.base import Capabilities, Generation, Progress, Sampling
from spex.engine.drafts import Drafts
from spex.engine.gguf import check_gguf
from spex.engine.llamacpp_drafts import LocalDraft, drafted_by, find_local_draft
from spex.errors import InputError, Misbehaving
from tests.engine import test_sglang, test_vllm


@pytest.mark.parametrize(
    ("alone", "without", "found"),
    [
        (True, "positional", "whole"),
        (True, "whole", "whole"),
        (True, "none", "none"),
        (False, "positional", "none"),
        (False, "whole", "none"),
    ],
)
def test_with_drafts_no_text_goes_on_from_its_tokens_and_of_shared_ones_nothing_is_promised(
    alone: bool, without: Any, found: str
) -> None:
    assert Drafts("any", alone=alone).seed(without) == found


def test_drafts_that_are_right_at_temperature_0_alone_are_refused_above_it() -> None:
    wrong = Drafts("NGRAM", greedy_only=True, remedy="start it otherwise")
    wrong.check(0.0)
    Drafts("NGRAM").check(1.0)
    with pytest.raises(InputError, match=r"temperature: 0.5 .*NGRAM.*start it otherwise"):
        wrong.check(0.5)


async def capabilities_of(info: dict[str, Any]) -> tuple[Capabilities, str]:
    async with test_sglang.engine_of(test_sglang.Server({**test_sglang.INFO, **info})) as engine:
        return engine.capabilities, engine.identity.drafts


@pytest.mark.parametrize(
    ("info", "seed", "drafts"),
    [
        ({}, "positional", ""),
        ({"speculative_algorithm": None}, "positional", ""),
        (
            {"speculative_algorithm": "EAGLE3", "speculative_num_draft_tokens": 4},
            "whole",
            "EAGLE3, 4 tokens at once",
        ),
        ({"speculative_algorithm": "STANDALONE"}, "whole", "STANDALONE"),
        ({"speculative_algorithm": "EAGLE", "speculative_adaptive": True}, "none", "EAGLE"),
        ({"speculative_algorithm": "NGRAM", "speculative_num_draft_tokens": 12}, "none", "NGRAM, 12 tokens at once"),
        ({"speculative_algorithm": "a plug-in's"}, "none", "A PLUG-IN'S"),
    ],
)
def test_what_an_sglang_server_drafts_with_decides_on_its_seeds(info: dict[str, Any], seed: str, drafts: str) -> None:
    can, told = asyncio.run(capabilities_of(info))
    assert (can.seed, told) == (seed, drafts)
    assert str(can.drafts or "") == drafts


@pytest.mark.parametrize("wrong", [{"speculative_algorithm": 7}, {"speculative_num_draft_tokens": 0}])
def test_drafts_of_another_form_are_no_answer_of_an_sglang_server(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misbehaving, match="/server_info"):
        asyncio.run(capabilities_of(wrong))


def test_an_sglang_server_that_drafts_on_a_cpu_writes_at_temperature_0_alone() -> None:
    async def main() -> None:
        server = test_sglang.Server({**test_sglang.INFO, "speculative_algorithm": "NGRAM", "device": "cpu"})
        async with test_sglang.engine_of(server) as engine:
            with pytest.raises(InputError, match="--speculative-algorithm"):
                await engine.generate(test_sglang.request(), Progress())
            assert not server.asked
            greedy = Generation("k", test_sglang.PROMPT, 1, ("\n\n",), 50, Sampling(0.0))
            assert (await engine.generate(greedy, Progress())).text == test_sglang.TEXT

    asyncio.run(main())


def test_a_seed_that_is_whole_is_sent_to_an_sglang_server_that_drafts() -> None:
    async def main() -> None:
        server = test_sglang.Server({**test_sglang.INFO, "speculative_algorithm": "EAGLE"})
        async with test_sglang.engine_of(server) as engine:
            await engine.generate(test_sglang.request(seed=7), Progress())
        assert server.asked[0]["sampling_params"]["sampling_seed"] == 7

    asyncio.run(main())


async def of_vllm(server: test_vllm.Server) -> tuple[Capabilities, str]:
    async with test_vllm.engine_of(server) as engine:
        return engine.capabilities, engine.identity.drafts


@pytest.mark.parametrize(
    ("config", "seed", "drafts"),
    [
        ({"method": "ngram", "num_speculative_tokens": 5}, "whole", "ngram, 5 tokens at once"),
        ({"method": "eagle3"}, "whole", "eagle3"),
        ({"method": "suffix"}, "none", "suffix"),
        ({"method": "ngram", "num_speculative_tokens_per_batch_size": [[1, 8, 3]]}, "none", "ngram"),
        ({}, "none", "a method that it does not tell"),
    ],
)
def test_what_a_vllm_server_drafts_with_decides_on_its_seeds(config: dict[str, Any], seed: str, drafts: str) -> None:
    server = test_vllm.Server()
    server.settings = test_vllm.settings("speculative_config", **config)
    can, told = asyncio.run(of_vllm(server))
    assert (can.seed, told, str(can.drafts)) == (seed, drafts, drafts)


def test_drafts_that_are_accepted_by_chance_are_refused() -> None:
    server = test_vllm.Server()
    server.settings = test_vllm.settings("speculative_config", method="ngram", rejection_sample_method="synthetic")
    with pytest.raises(InputError, match="by chance"):
        asyncio.run(of_vllm(server))


def test_a_vllm_server_that_tells_no_settings_drafts_where_its_metrics_say_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = test_vllm.Server()
    server.settings = None
    assert asyncio.run(of_vllm(server))[0].drafts is None
    server.metrics += 'vllm:spec_decode_num_drafts_total{{engine="0"}} 0.0\n'
    with caplog.at_level(logging.WARNING, "spex"):
        can, told = asyncio.run(of_vllm(server))
    assert (can.seed, told) == ("none", "a method that it does not tell")
    assert "if it runs on a CPU, its texts above temperature 0 are wrong" in caplog.text


def gguf(path: Path) -> Path:
    """A file that begins as a model does."""
    head = b"GGUF" + (3).to_bytes(4, "little") + (1).to_bytes(8, "little") * 2
    path.write_bytes(head.ljust(8192, b"\0"))
    check_gguf(path)
    return path


def test_a_local_draft_is_ngram_or_a_file_with_its_tokens_or_without(tmp_path: Path) -> None:
    assert find_local_draft("ngram") == LocalDraft("ngram", 8)
    assert find_local_draft("ngram:3") == LocalDraft("ngram", 3)
    file = gguf(tmp_path / "small.gguf")
    assert find_local_draft(str(file)) == LocalDraft(str(file), 4)
    assert find_local_draft(f"{file}:2") == LocalDraft(str(file), 2)
    assert str(find_local_draft(f"{file}:2").told) == "small.gguf (8192 bytes), 2 tokens at once"
    assert str(find_local_draft("ngram:3").told) == "n-grams of the text, 3 tokens at once"


@pytest.mark.parametrize("wrong", ["", "ngram:0", "ngram:65", "ngram:x", "trigram", ":4", "nowhere.gguf:4"])
def test_what_is_no_local_draft_is_refused_by_its_name(wrong: str) -> None:
    with pytest.raises(InputError, match=r"^draft: "):
        find_local_draft(wrong)


def test_a_draft_stands_behind_the_model_and_a_file_of_that_name_is_a_model(tmp_path: Path) -> None:
    assert drafted_by(None) == (None, None)
    assert drafted_by("m.gguf") == ("m.gguf", None)
    assert drafted_by("m.gguf#ngram:4") == ("m.gguf", "ngram:4")
    assert drafted_by("#ngram") == (None, "ngram")
    odd = tmp_path / "a#b.gguf"
    assert drafted_by(str(odd)) == (f"{tmp_path}/a", "b.gguf")
    gguf(odd)
    assert drafted_by(str(odd)) == (str(odd), None)
    assert drafted_by(odd) == (odd, None)
