"""Chats of OpenAI's protocol (`/v1/chat/completions`) as prompts that a search can go on from.

A prompt is a chat and what the assistant has said so far. Its token ids are the bytes of the texts, with a byte that no
UTF-8 text has before each turn, so that no content is taken for one. A server goes on from the assistant's unfinished
turn in one of several ways, or in none: then it is asked for the rest in words.

Templates cut white space off a turn's end, some of them. Where one does, or nobody knows, it is held back from what is
sent, and taken from the beginning of what comes, if it is written anew: the delimiter of the last step is neither lost
nor a step of its own. The model has not seen it then, and may go on in the same line.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec

from spex.engine import text_tokens
from spex.engine.base import Message
from spex.engine.http import Http
from spex.engine.openai_stream import Choice, Logprobs, Piece, Told
from spex.errors import Misbehaving

Way: TypeAlias = Literal["flags", "prefix", "turn", "words"]
"""How an unfinished turn goes on: by vLLM's and SGLang's flags, by Mistral's and DeepSeek's mark of the turn, where it
is the last one without further ado (llama.cpp, Ollama), or by asking for it."""

WAYS: tuple[Way, ...] = ("flags", "prefix", "turn")
"""Those in which it is the same turn that goes on."""

_MARKS: Mapping[str, int] = {"system": 0xF8, "user": 0xF9, "assistant": 0xFA}
_ROLES = {bytes([mark]): role for role, mark in _MARKS.items()}
_FLAGS: Mapping[str, object] = {"continue_final_message": True, "add_generation_prompt": False}
_GO_ON = "Your answer was cut off. Write what comes next in it, from exactly where it ends: repeat nothing of it."
_OF_A_TEXT = "Write a text."

Turn: TypeAlias = dict[str, object]


class Part(msgspec.Struct, frozen=True):
    """A part of what is new, where it comes in parts: of the text, or of a thought, which has none."""

    text: str = ""


class Delta(msgspec.Struct, frozen=True):
    """What is new of a turn; thoughts that are told apart are no part of the text."""

    content: str | list[Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""

    @property
    def thinks(self) -> bool:
        return not self.text and bool(self.content or self.reasoning_content or self.reasoning)


class ChatChoice(msgspec.Struct, frozen=True):
    """What is new of a turn, and at its end why it ended; `text` is what a completion has in the place of `delta`.

    Without one it tells something else, such as what a filter found.
    """

    delta: Delta | None = None
    text: str | None = None
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class ChatPiece(msgspec.Struct, frozen=True):
    """One event of a stream."""

    choices: Annotated[list[ChatChoice], msgspec.Meta(max_length=1)] | None = None
    usage: Told | None = None
    error: object = None


@dataclass(frozen=True, slots=True)
class Chats:
    """`/chat/completions` of the engine `name`; `way`: how an unfinished turn goes on.

    keeps_space: white space at such a turn's end reaches the model. echoes: a turn with a mark is told from its
    beginning (Mistral), and not from where it goes on (DeepSeek).
    """

    name: str
    way: Way = "words"
    limit: str = "max_tokens"
    keeps_space: bool = False
    echoes: bool = False
    path: str = "/chat/completions"
    logprobs: object = True

    @property
    def continues(self) -> bool:
        return self.way != "words"

    def encoded(self, messages: Sequence[Message]) -> tuple[int, ...]:
        found: list[int] = []
        for message in messages:
            found += (_MARKS[message.role], *text_tokens.encoded(message.content))
        return (*found, _MARKS["assistant"])

    async def stream(
        self, http: Http, prompt: Sequence[int], written: str, more: Mapping[str, object], size: Callable[[], int]
    ) -> AsyncGenerator[Piece, None]:
        turns, begun = self.turns(prompt)
        joint = Joint(begun + written, echoed=self.echoes, keeps_space=self.keeps_space)
        body = {"messages": turns, **more}
        if joint.begun:
            body |= self._going_on(turns, joint.begun)
        thoughts = 0
        async with aclosing(http.events(self.path, body, ChatPiece, lambda: size() + thoughts)) as events:
            async for event in events:
                if any(choice.delta is None and choice.text is not None for choice in event.choices or ()):
                    raise Misbehaving(self.name, "a piece of a chat", event)
                new = [_choice(choice, joint) for choice in event.choices or ()]
                thoughts += sum(choice.thinks for choice in new)
                yield Piece(new, event.usage, event.error)

    def turns(self, prompt: Sequence[int]) -> tuple[list[Turn], str]:
        """The turns of a prompt, and what the assistant has said since. Raises `Misbehaving`.

        A text that is no chat is one that the assistant has begun to write.
        """
        try:
            data = bytes(prompt)
            before, *parts = re.split(rb"([\xf8-\xfa])", data)
            texts = [text.decode() for text in parts[1::2]]
            if not parts:
                return [{"role": "user", "content": _OF_A_TEXT}], before.decode()
        except ValueError:
            raise Misbehaving(self.name, "token ids of a chat", prompt) from None
        roles = [_ROLES[mark] for mark in parts[::2]]
        if before or roles[-1] != "assistant":
            raise Misbehaving(self.name, "a chat in which the assistant speaks next", prompt)
        turns: list[Turn] = [{"role": role, "content": text} for role, text in zip(roles[:-1], texts[:-1], strict=True)]
        return turns, texts[-1]

    def _going_on(self, turns: Sequence[Turn], begun: str) -> dict[str, object]:
        """What of the body is another one behind a turn that was `begun`."""
        last: Turn = {"role": "assistant", "content": begun}
        if self.way == "words":
            return {"messages": [*turns, last, {"role": "user", "content": _GO_ON}]}
        if self.way == "prefix":
            return {"messages": [*turns, {**last, "prefix": True}]}
        return {"messages": [*turns, last], **(_FLAGS if self.way == "flags" else {})}


class Joint:
    """Where a turn that was `begun` goes on: the white space at its end is held back, and not written twice.

    keeps_space: it is sent, and what is written is all new.
    echoed: the server may say first what was begun (Mistral does): that is not new either.
    """

    def __init__(self, begun: str, *, echoed: bool = False, keeps_space: bool = False) -> None:
        self.begun: str = begun if keeps_space and not begun.isspace() else begun.rstrip()
        self._held = begun[len(self.begun) :]
        self._echo = self.begun if echoed else ""
        self._heard = ""

    def rest(self, text: str, *, is_last: bool = False) -> str:
        """What of a piece is new; of the last one also what was an echo until then, and was none."""
        if self._echo:
            text, self._heard = self._heard + text, ""
            if len(text) < len(self._echo) and self._echo.startswith(text) and not is_last:
                self._heard = text
                return ""
            text, self._echo = text.removeprefix(self._echo), ""
        while self._held and text:
            if not text.startswith(self._held[0]):
                self._held = ""
                break
            self._held, text = self._held[1:], text[1:]
        return text


def _choice(choice: ChatChoice, joint: Joint) -> Choice:
    delta = choice.delta or Delta()
    new = joint.rest(delta.text, is_last=bool(choice.finish_reason))
    return Choice(new, choice.logprobs, choice.finish_reason, delta.thinks)
