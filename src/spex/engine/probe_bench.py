"""Where an engine is measured: prompts that nobody has asked it before, and requests with the time that they took."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from typing import NamedTuple

from spex.engine.base import Completion, Engine, Generation, Progress, Sampling
from spex.errors import Misbehaving
from spex.prompt import Prompt

_STORY = (
    " The old woman came back from the market in the evening and put her basket on the table. There were many people"
    " in the house, and all of them wanted to hear what she had seen in the town. She sat down by the fire, looked at"
    " each of them for a while, and then she began to tell her story."
)


class Asked(NamedTuple):
    """A request, what came of it, and how long it took."""

    completion: Completion
    progress: Progress
    seconds: float

    @property
    def tokens(self) -> int:
        """Generated tokens, as the engine counts them."""
        return self.progress.cost.generated


class Wanted(NamedTuple):
    """A request to be made; `kept`: the progress to go on from."""

    prompt: Prompt
    tokens_max: int
    seed: int = 1
    temperature: float = 1.0
    kept: Progress | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """An open engine to be measured. `nonce` tells this measurement's prompts from those of all others."""

    engine: Engine
    nonce: str
    _numbers: count[int] = field(default_factory=count)

    async def fresh(self, tokens: int) -> Prompt:
        """A prompt of exactly so many tokens, whose first ones are like no other's: none of it is in any cache."""
        start = await self.engine.encode(f"{next(self._numbers)} {self.nonce}.")
        story = await self.engine.encode(_STORY)
        if not story:
            raise Misbehaving(self.engine.name, "a text in token ids", story)
        # What comes last is the story's end, so that a text goes on, and does not end at once.
        missing = max(0, tokens - len(start))
        body = list(islice(cycle(reversed(story)), missing))[::-1]
        return Prompt([(*start, *body)[:tokens]])

    async def ask(self, wanted: Wanted) -> Asked:
        """Make one request, without stop strings. Raises `EngineError`."""
        request = Generation(
            key=f"probe|{self.nonce}",
            prompt=wanted.prompt,
            seed=wanted.seed,
            stop=(),
            tokens_max=wanted.tokens_max,
            sampling=Sampling(wanted.temperature),
        )
        progress = Progress() if wanted.kept is None else wanted.kept
        began = self.now()
        completion = await self.engine.generate(request, progress)
        return Asked(completion, progress, self.now() - began)

    async def ask_all(self, wanted: Sequence[Wanted]) -> list[Asked]:
        """Make all requests at once. Raises the first `EngineError`; then nothing of them runs any more."""
        tasks = [asyncio.ensure_future(self.ask(one)) for one in wanted]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def now(self) -> float:
        """Seconds on the event loop's clock."""
        return asyncio.get_running_loop().time()
