"""The token ids that an engine's chat template puts around its turns, found once by asking for small chats.

A dialogue grows by a turn a step. To have the server render all of it for each step takes requests that grow with it;
where the template only puts the same tokens around each turn, they can be put there here. Whether it does is tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from spex.engine.base import Engine, Message

_WORD = "question"
_TRIED_TURNS = 3


class ChatFrames(NamedTuple):
    """What stands before the user's first words, after each of their turns, and from an answer to their next words."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    between: tuple[int, ...]

    def tokens(self, turns: Sequence[tuple[int, ...]], answer: tuple[int, ...]) -> tuple[int, ...]:
        """A chat of the user's `turns`, each but the last answered by `answer`, up to where the assistant speaks."""
        joint = (*self.after, *answer, *self.between)
        token_ids = list(self.before)
        for number, turn in enumerate(turns):
            token_ids += (*joint, *turn) if number else turn
        return (*token_ids, *self.after)


def dialogue(turns: Sequence[str], answer: str) -> list[Message]:
    """The user's turns, each but the last answered by `answer`."""
    messages = [Message("user", turns[0])]
    for turn in turns[1:]:
        messages += [Message("assistant", answer), Message("user", turn)]
    return messages


async def chat_frames(engine: Engine, answer: str) -> ChatFrames | None:
    """The frames of `engine`'s chats; None where its template does something else. Raises `EngineError`."""
    word, answered = await engine.encode(_WORD), await engine.encode(answer)
    one, two, more = [await engine.encode_chat(dialogue([_WORD] * turns, answer)) for turns in (1, 2, _TRIED_TURNS)]
    places = [place for place in range(len(one)) if one[place : place + len(word)] == word]
    if len(places) != 1:
        return None
    before, after = one[: places[0]], one[places[0] + len(word) :]
    begun, ended = len(one) + len(answered), len(two) - len(word) - len(after)
    frames = ChatFrames(before, after, two[begun:ended])
    right = frames.tokens([word] * 2, answered) == two and frames.tokens([word] * _TRIED_TURNS, answered) == more
    return frames if right else None
