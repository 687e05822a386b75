"""What is learned at which token, and what the policy's own plays are called; needs what trains models."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

from spex.engine.local_model import packaged_folder  # noqa: E402  # behind what is skipped without
from training.batches import NOT_LEARNED, policy_examples, prm_examples  # noqa: E402
from training.config import numbers, read_config  # noqa: E402
from training.model import END_ID  # noqa: E402
from training.own_plays import asked, labelled  # noqa: E402
from training.plays import Play  # noqa: E402

TOKENIZER = tokenizers.Tokenizer.from_file(str(packaged_folder("game24-policy") / "tokenizer.json"))
WON = Play(
    "4 9 10 13",
    ("13 - 9 = 4 (left: 4 4 10)", "10 - 4 = 6 (left: 4 6)", "4 * 6 = 24 (left: 24)"),
    (True, True, True, True),
)
LOST = Play("4 9 10 13", ("4 + 9 = 13 (left: 10 13 13)", "13 + 13 = 26 (left: 10 26)"), (True, False, False))


def test_the_policy_learns_what_follows_each_token_behind_the_puzzle_and_the_end() -> None:
    (example,) = policy_examples(TOKENIZER, [WON], seed=1)
    learned = [target for target in example.targets if target != NOT_LEARNED]
    assert len(example.targets) == len(example.token_ids)
    assert learned[-1] == END_ID
    assert TOKENIZER.decode(learned[:-1]).splitlines() == list(WON.moves)
    for place, target in enumerate(example.targets[:-1]):
        assert target in (NOT_LEARNED, example.token_ids[place + 1])


def test_the_prm_learns_at_the_end_of_each_line_whether_24_can_still_be_made() -> None:
    for play in (WON, LOST):
        (example,) = prm_examples(TOKENIZER, [play], seed=1)
        ends = [place for place, target in enumerate(example.targets) if target != NOT_LEARNED]
        assert [TOKENIZER.decode([example.token_ids[place]]) for place in ends] == ["\n"] * len(play.alive)
        assert [TOKENIZER.decode([example.targets[place]]) for place in ends] == ["-+"[alive] for alive in play.alive]


def test_of_the_policys_own_plays_a_false_line_is_bad_and_the_last_one() -> None:
    assert labelled(WON.puzzle, "\n".join(WON.moves)) == WON
    assert labelled(LOST.puzzle, "\n".join(LOST.moves)) == LOST
    false = ("13 - 9 = 4 (left: 4 4 10)", "10 - 4 = 24 (left: 4 24)", "24 * 1 = 24 (left: 24)")
    assert labelled(WON.puzzle, "\n".join(false)) == Play(WON.puzzle, false[:2], (True, True, False))


def test_the_policy_plays_no_puzzle_that_is_kept_out() -> None:
    config = read_config()
    assert config.kept_out.isdisjoint(numbers(puzzle) for puzzle in asked(config)[:500])
