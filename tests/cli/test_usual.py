"""What a command runs on where the user has not said it: the task's own models, or those for any text."""

from __future__ import annotations

import pytest

from spex.api import Options, with_usual
from spex.cli import usual
from spex.cli.running import options_of
from spex.cli.settings import SolveSettings, load

OWN = ("game24-bare", "llamacpp:game24-policy", "prm:game24@llamacpp:game24-prm")


@pytest.mark.parametrize(
    ("flags", "task", "policy", "reward"),
    [
        ({}, "text", "llamacpp", "confidence"),
        ({"task": "gsm8k"}, "gsm8k", "llamacpp", "confidence"),
        ({"task": "game24"}, *OWN),
        ({"task": "game24", "reward": "confidence"}, *OWN[:2], "confidence"),
        ({"task": "game24", "policy": "llamacpp"}, "game24", "llamacpp", "confidence"),
        ({"task": "game24", "policy": "llamacpp", "reward": OWN[2]}, "game24", "llamacpp", OWN[2]),
        ({"task": "game24-bare"}, *OWN),
        ({"task": "game24", "policy": OWN[1]}, *OWN[:2], "confidence"),
        ({"task": "game24-bare", "policy": "llamacpp"}, "game24-bare", "llamacpp", "confidence"),
    ],
)
def test_command_and_library_agree_on_what_is_usual(flags: dict[str, str], task: str, policy: str, reward: str) -> None:
    told = options_of(usual.with_usual(load(SolveSettings, flags)))
    assert (told["task"], told["policy"], told["reward"]) == (task, policy, reward)
    options = with_usual(Options(**flags))  # type: ignore[typeddict-item]
    assert (options.get("task", "text"), options["policy"], options["reward"]) == (task, policy, reward)


@pytest.mark.parametrize("flag", [{"model": "m.gguf"}, {"draft": "ngram"}, {"thinking": True}])
def test_who_names_a_model_or_wants_thinking_does_not_get_the_tasks_own(flag: dict[str, object]) -> None:
    settings = usual.with_usual(load(SolveSettings, {"task": "game24", **flag}))
    assert (settings.task, settings.policy, settings.reward) == ("game24", "llamacpp", "confidence")


def test_a_model_that_was_trained_for_a_task_is_asked_as_it_reads_it_however_it_is_named() -> None:
    settings = usual.with_usual(load(SolveSettings, {"task": "game24", "model": "game24-policy"}))
    assert settings.task == "game24-bare"
