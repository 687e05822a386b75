"""What a reward inside this process runs on, and how it asks a user's function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from inspect import isawaitable

from spex.engine.base import Capabilities, Counters, Path, Scoring
from spex.errors import EngineError, InputError, Misbehaving
from spex.profile import Affine
from spex.reward.checked import expectation, score_of
from spex.usage import Tokens

_LATENCY_SECONDS_MIN = 0.001


class LocalServer:
    """A server of its own for a reward that costs no tokens: a flat curve, no cost, a count of what runs.

    latency_seconds: a first belief of how long a score takes. slots: most scores at once (≥ 1). Raises `InputError`.
    """

    def __init__(self, name: str, *, latency_seconds: float = 0.0, slots: int = 256) -> None:
        if slots < 1:
            raise InputError("slots", slots, "it must be 1 or more")
        self._name = name
        self._running = 0
        self._capabilities = Capabilities(
            seed="whole",
            log_probabilities=False,
            slots=slots,
            curve=Affine(max(latency_seconds, _LATENCY_SECONDS_MIN), 0.0),
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def counters(self) -> Counters:
        return Counters(self._running, Tokens())

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts one request as running, whichever way it ends."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


async def ask(
    function: Callable[[Path], object | Awaitable[object]], request: Scoring, reward_name: str
) -> tuple[float, ...]:
    """The user's function on each path of the request, one after the other.

    Raises `Misbehaving`, which names reward, problem and step, for an exception of the function
    and for anything that is no number in [0, 1]; an `EngineError` of the function passes as it is.
    """
    return tuple([await _ask_one(function, request, path, reward_name) for path in request.paths])


async def _ask_one(
    function: Callable[[Path], object | Awaitable[object]], request: Scoring, path: Path, reward_name: str
) -> float:
    try:
        value = function(path)
        if isawaitable(value):
            value = await value
    except EngineError:
        raise
    except Exception as error:
        # The function is the user's: whatever it raises is told as the reward's failure.
        said = f"{type(error).__name__}: {error}"
        told = f"{expectation(request, path)} (can the reward's own function read such a text? it has raised)"
        raise Misbehaving(reward_name, told, said) from error
    return score_of(value, request, path, reward_name)
