"""How a policy's chats become prompts: by the chat template of its model, which its engine renders, or without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from spex.engine.abilities import RendersThinking, first_tokens_of, has_chats_alone, renderer_of
from spex.engine.base import (
    Capabilities,
    Completion,
    Counters,
    Engine,
    Generation,
    Labelling,
    Message,
    Progress,
    Server,
    Wrapper,
)
from spex.engine.text_tokens import transcript
from spex.errors import InputError

Template: TypeAlias = Literal["chat", "none"]

_TRIED = (Message("user", "1"),)


class Templated:
    """An engine whose chats are rendered as is wanted. Raises `InputError`.

    template: `chat`, the model's own, up to where the assistant speaks; `none`, for models without one: turns as text,
    `System: …`, `User: …`, `Assistant: …`, behind what the model has before every text (BOS); None leaves it to the
    engine, which takes the first where it can.
    enable_thinking: told to the template, where it knows of it; None leaves it to the template. `open` refuses
    (`InputError`) a template that the engine does not render, and what makes no difference to it.
    """

    def __init__(self, engine: Engine, template: Template | None = None, enable_thinking: bool | None = None) -> None:
        if template not in ("chat", "none", None):
            raise InputError("template", template, "it must be one of chat, none")
        if enable_thinking is not None and type(enable_thinking) is not bool:
            raise InputError("enable_thinking", enable_thinking, "it must be true or false, or None")
        if enable_thinking is not None and template == "none":
            raise InputError(
                "enable_thinking", enable_thinking, "it is told to a chat template: leave out template none"
            )
        self.inner = engine
        self._template = template
        self._enable_thinking = enable_thinking

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    @property
    def spelled(self) -> str:
        """How chats are rendered, for a call log's first line."""
        told = "" if self._enable_thinking is None else f", enable_thinking={self._enable_thinking}"
        return f"{self._template or 'chat'}{told}"

    def counters(self) -> Counters:
        return self.inner.counters()

    async def open(self) -> None:
        await self.inner.open()
        try:
            await self._check()
        except BaseException:
            await self.inner.close()
            raise

    async def close(self) -> None:
        await self.inner.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self.inner.encode(text)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        if self._template == "none":
            return (*await first_tokens_of(self.inner), *await self.inner.encode(transcript(messages)))
        if self._enable_thinking is None:
            return await self.inner.encode_chat(messages)
        return await self._renderer("enable_thinking", self._enable_thinking).encode_thinking_chat(
            messages, enable_thinking=self._enable_thinking
        )

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        return await self.inner.generate(request, progress)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self.inner.label(request, progress)

    async def _check(self) -> None:
        """Whether the engine can do what is wanted. Raises `InputError` and `EngineError`."""
        by_chats = has_chats_alone(self.inner)
        if self._template == "none" and by_chats:
            raise InputError("template", "none", f"{self.name} is asked by chats, whose template is the server's own")
        if self._template == "chat" and not by_chats:
            self._renderer("template", self._template)
        if self._enable_thinking is not None:
            renderer = self._renderer("enable_thinking", self._enable_thinking)
            on, off = [await renderer.encode_thinking_chat(_TRIED, enable_thinking=told) for told in (True, False)]
            if on == off:
                told = f"it makes no difference to the chat template of {self.name}: leave it out"
                raise InputError("enable_thinking", self._enable_thinking, told)

    def _renderer(self, field: str, value: object) -> RendersThinking:
        renderer = renderer_of(self.inner)
        if renderer is not None:
            return renderer
        told = f"{self.name} renders no chat template: leave it out, or use sglang:, vllm: or llamacpp"
        raise InputError(field, value, told)


def template_of(server: Server) -> str:
    """How the chats of an engine are rendered; empty where it is as usual."""
    while isinstance(server, Wrapper):
        if isinstance(server, Templated):
            return server.spelled
        server = server.inner
    return ""
