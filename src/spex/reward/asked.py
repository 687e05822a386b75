"""What a model writes when it is asked for a judgement: for rewards that read a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from spex.engine.base import Engine, Generation, Message, Progress, Sampling
from spex.errors import InputError
from spex.prompt import Prompt


class Asked:
    """An engine that is asked for texts: `tokens_max` tokens at most (1 to 65536), sampled at `temperature` (0 to 100).

    Equal questions with equal seeds get equal texts wherever the engine's seeds have an effect. Raises `InputError`.
    """

    def __init__(self, engine: Engine, temperature: float, tokens_max: int) -> None:
        if type(temperature) not in (int, float) or not 0.0 <= temperature <= 100.0:
            raise InputError("temperature", temperature, "it must be a number from 0 to 100")
        if type(tokens_max) is not int or not 1 <= tokens_max <= 1 << 16:
            raise InputError("tokens_max", tokens_max, "it must be a whole number from 1 to 65536")
        self.engine: Engine = engine
        self._sampling = Sampling(temperature)
        self._tokens_max = tokens_max

    async def text(self, question: str, key: str, seed: int, progress: Progress) -> str:
        """What the engine answers; nothing in the question becomes a control token. Raises `EngineError`."""
        messages: Sequence[Message] = [Message("user", question)]
        prompt = Prompt([await self.engine.encode_chat(messages)])
        request = Generation(key, prompt, seed, (), self._tokens_max, self._sampling)
        with apart(progress) as own:
            return (await self.engine.generate(request, own)).text


@contextmanager
def apart(progress: Progress) -> Iterator[Progress]:
    """A progress of its own for one of several requests; what it has cost is `progress`'s, whichever way it ends."""
    own = Progress()
    try:
        yield own
    finally:
        progress.cost = progress.cost.plus(own.cost)
        progress.lost = progress.lost.plus(own.lost)
