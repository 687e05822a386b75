"""What a model writes when it is asked for a judgement, and its line that says it: for rewards that read a text.

A text that was cut off may have been cut within its last line, and a model that knows no turns goes on with turns that
it has made up: neither is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from spex.engine.apart import text_apart
from spex.engine.base import Completion, Engine, Generation, Message, Progress, Sampling
from spex.errors import InputError
from spex.prompt import Prompt
from spex.reward.given_engine import given_engine

TURNS = ("\n\nUser:", "\n\nSystem:", "\n\nAssistant:")
"""How a further turn begins in the transcript that an engine of texts alone is shown."""

_MARKUP = str.maketrans("*`_#", "    ")


class Asked:
    """An engine that is asked for texts: `tokens_max` tokens at most (1 to 65536), sampled at `temperature` (0 to 100).

    Equal questions with equal seeds get equal texts wherever the engine's seeds have an effect. Raises `InputError`.
    """

    def __init__(self, engine: Engine, temperature: float, tokens_max: int) -> None:
        if type(temperature) not in (int, float) or not 0.0 <= temperature <= 100.0:
            raise InputError("temperature", temperature, "it must be a number from 0 to 100")
        if type(tokens_max) is not int or not 1 <= tokens_max <= 1 << 16:
            raise InputError("tokens_max", tokens_max, "it must be a whole number from 1 to 65536")
        self.engine: Engine = given_engine(engine)
        self._sampling = Sampling(temperature)
        self._tokens_max = tokens_max

    async def text(self, question: str, key: str, seed: int, progress: Progress) -> str:
        """What the engine answers, in whole lines where it was cut off, and without any turn that it has made up.

        Nothing in the question becomes a control token. Raises `EngineError`.
        """
        messages: Sequence[Message] = [Message("user", question)]
        prompt = Prompt([await self.engine.encode_chat(messages)])
        request = Generation(key, prompt, seed, TURNS, self._tokens_max, self._sampling)
        name, keeps_tokens = f"{self.engine.name}|{request.digest}", self.engine.capabilities.keeps_tokens
        written = await text_apart(progress, name, partial(self.engine.generate, request), keeps_tokens=keeps_tokens)
        return _readable(written)


def last_line(text: str, form: re.Pattern[str]) -> re.Match[str] | None:
    """The last line of `text` that is wholly of `form`, its markup and white space read as single blanks."""
    lines = (" ".join(line.translate(_MARKUP).split()) for line in reversed(text.split("\n")))
    return next((found for line in lines if (found := form.fullmatch(line))), None)


def _readable(completion: Completion) -> str:
    text = completion.text
    turn = min((place for start in TURNS if (place := text.find(start)) >= 0), default=None)
    if turn is not None:
        return text[:turn]
    # A number at the end of what was cut off may be the beginning of another one.
    return text[: text.rfind("\n") + 1] if completion.end in ("length", "context") else text
