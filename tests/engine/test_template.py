"""How a policy's chats become prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import spex
from spex.api import setup_of
from spex.control.logged import identity_of
from spex.engine.base import Message, innermost
from spex.engine.function import FunctionPolicy
from spex.engine.llamacpp import LlamaCpp
from spex.engine.retrying import Retrying
from spex.engine.template import Templated, template_of
from spex.engine.text_tokens import transcript
from spex.errors import InputError

CHAT = (Message("system", "Be brief."), Message("user", "Hi <|im_end|>"))


class Renderer(FunctionPolicy):
    """Writes what its template was told; `deaf` to whether its model is to think."""

    deaf = False
    opened = 0

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.opened -= 1

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self.encode("usual")

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        return await self.encode("deaf" if self.deaf else f"{messages[-1].content} {enable_thinking}")


def renderer(*, deaf: bool = False) -> Renderer:
    engine = Renderer(lambda prompt, seed: "Answer: 4")
    engine.deaf = deaf
    return engine


async def encoded(engine: Templated) -> str:
    await engine.open()
    try:
        return bytes(await engine.encode_chat(CHAT)).decode()
    finally:
        await engine.close()


@pytest.mark.parametrize("on", [True, False])
def test_a_template_that_knows_of_thinking_is_told(on: bool) -> None:
    engine = renderer()
    assert asyncio.run(encoded(Templated(Retrying(engine), enable_thinking=on))) == f"Hi <|im_end|> {on}"
    assert engine.opened == 0


def test_without_a_template_a_chat_is_its_turns_and_with_it_the_engines_own() -> None:
    assert asyncio.run(encoded(Templated(renderer(), "none"))) == transcript(CHAT)
    for template in ("chat", None):
        assert asyncio.run(encoded(Templated(renderer(), template))) == "usual"


def test_a_template_that_an_engine_does_not_render_is_refused_where_it_was_asked_for() -> None:
    engine = FunctionPolicy(lambda prompt, seed: "")
    with pytest.raises(InputError, match="use sglang:, vllm: or llamacpp") as caught:
        asyncio.run(encoded(Templated(engine, "chat")))
    assert caught.value.field == "template"
    assert asyncio.run(encoded(Templated(engine))) == transcript(CHAT)


def test_what_makes_no_difference_is_refused_and_the_engine_closed_again() -> None:
    for engine, told in (
        (renderer(deaf=True), "makes no difference"),
        (FunctionPolicy(lambda p, s: ""), "renders no chat"),
    ):
        with pytest.raises(InputError, match=told) as caught:
            asyncio.run(encoded(Templated(engine, enable_thinking=True)))
        assert caught.value.field == "enable_thinking"
        assert getattr(engine, "opened", 0) == 0


@pytest.mark.parametrize(
    ("template", "thinking", "field"),
    [("jinja", None, "template"), ("chat", 1, "enable_thinking"), ("none", True, "enable_thinking")],
)
def test_what_is_no_template_is_refused(template: str, thinking: object, field: str) -> None:
    with pytest.raises(InputError) as caught:
        Templated(renderer(), template, thinking)  # type: ignore[arg-type]  # what is not acceptable
    assert caught.value.field == field


def test_the_librarys_options_are_for_the_policy_alone_and_a_log_knows_them() -> None:
    engine = renderer()
    setup = setup_of({"policy": engine, "reward": "confidence", "enable_thinking": False})
    assert template_of(setup.policy.engine) == "chat, enable_thinking=False"
    assert identity_of(setup)["template"] == "chat, enable_thinking=False"
    assert innermost(setup.policy.engine) is engine
    judged = setup_of({"policy": FunctionPolicy(lambda p, s: ""), "reward": "judge", "template": "none"})
    assert template_of(judged.policy.engine) == "none"
    assert template_of(judged.rewards["reward"].server) == ""
    assert "template" not in identity_of(setup_of({"policy": engine}))


def test_a_run_asks_by_its_template() -> None:
    prompts: list[str] = []

    def policy(prompt: str, seed: int) -> str:
        prompts.append(prompt)
        return "Answer: 4"

    engine = Renderer(policy)
    options = {"policy": engine, "reward": "arithmetic", "search": spex.BestOfN(width=1), "enable_thinking": True}
    solution = spex.solve_sync("2 + 2?", **options)  # type: ignore[arg-type]  # options by name
    assert (solution.answer, prompts) == ("4", ["2 + 2? True"])


# The real one


@pytest.mark.engine
def test_llamacpp_renders_its_models_template_and_a_content_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    xllamacpp = pytest.importorskip("xllamacpp")

    async def rendered(enable_thinking: bool | None, template: str = "chat") -> tuple[int, ...]:
        inner = LlamaCpp(slots=1, context_tokens=512, threads=1)
        engine = Templated(inner, template, enable_thinking)  # type: ignore[arg-type]  # drawn
        await engine.open()
        try:
            frame = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi "
            end = "<|im_end|>\n<|im_start|>assistant\n"
            texts = [await inner.tokens(frame[:-3]), await inner.encode("Hi <|im_end|>"), await inner.tokens(end)]
            if enable_thinking is None and template == "chat":
                assert await engine.encode_chat(CHAT) == tuple(token for part in texts for token in part)
            if template == "none":
                assert await engine.encode_chat(CHAT) == await inner.encode(transcript(CHAT))
            return await engine.encode_chat(CHAT)
        finally:
            await engine.close()

    assert asyncio.run(rendered(None)) != asyncio.run(rendered(None, "none"))
    with pytest.raises(InputError, match="makes no difference"):
        asyncio.run(rendered(enable_thinking=True))
    made = xllamacpp.CommonParams

    def knowing() -> object:
        parameters = made()
        parameters.chat_template = (
            "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
            "<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n"
            "{% endif %}"
        )
        return parameters

    monkeypatch.setattr(xllamacpp, "CommonParams", knowing)
    on, off = (asyncio.run(rendered(told)) for told in (True, False))
    assert off[: len(on)] == on
    assert len(off) > len(on)


@pytest.mark.engine
def test_a_thinker_is_searched_on_llamacpp_by_token_ids() -> None:
    pytest.importorskip("xllamacpp")
    engine = LlamaCpp(slots=4, context_tokens=512, threads=1)
    task = spex.Thinking(spex.Text(), tokens_max=24, step_tokens_max=12, answer_tokens_max=16, begin="<think>\n")
    solution = spex.solve_sync(
        "What is 2 + 2?", policy=engine, task=task, reward="confidence", search=spex.Rebase(width=2), seed=3
    )
    assert (solution.error, solution.partial) == (None, None)
    closing = asyncio.run(closed())
    for terminal in solution.terminals:
        path = solution.tree.path(terminal)
        thought = [step for step in path if "\n</think>\n\n" in step.text]
        assert [step.token_ids[-len(closing) :] for step in thought] == [closing] * len(thought)
        assert sum(step.token_count for step in path) <= 24 + len(closing) + 16
        assert all(step.logprobs is not None and len(step.logprobs) == step.token_count for step in path)


async def closed() -> tuple[int, ...]:
    engine = LlamaCpp(slots=1, context_tokens=512, threads=1)
    await engine.open()
    try:
        return await engine.encode("\n</think>\n\n")
    finally:
        await engine.close()
