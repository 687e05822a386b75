"""What kind of server answers at an address: asked as each kind is asked, by what it says of itself."""

from __future__ import annotations

from typing import NamedTuple

import httpx2

from spex.engine.catalog import find_engine
from spex.engine.http import Deadlines
from spex.errors import EngineError, InputError, Misbehaving, TimedOut, Unreachable
from spex.visible import one_line

_KINDS = ("sglang", "vllm", "llamacpp-server", "openai")  # the one that needs least of a server is the last
_SHOWN = 200


class _Refusal(NamedTuple):
    """What a kind of engine said; whether the server could be another time what it is not now."""

    said: str
    may_pass: bool


async def spec_of(address: str, deadlines: Deadlines | None = None) -> str:
    """The name of the engine for the server at `address`: the first kind that can open it.

    A gateway may fail where it does not know a path, so that a failure says no more than a refusal. Raises `InputError`
    where no kind opens it, with what each of them says, `Unreachable` where all of them say that it fails, and
    `EngineError` where nothing can be connected to.
    """
    refusals: list[_Refusal] = []
    for kind in _KINDS:
        spec = f"{kind}:{address}"
        try:
            engine = find_engine(spec, deadlines)
            await engine.open()
        except (InputError, EngineError) as error:
            if _is_nobody_there(error):
                raise
            said = error.allowed if isinstance(error, InputError) else str(error).removeprefix(f"{spec}: ")
            may_pass = isinstance(error, EngineError) and not isinstance(error, Misbehaving)
            refusals.append(_Refusal(f"{kind}: {one_line(said, _SHOWN)}", may_pass))
            continue
        await engine.close()
        return spec
    told = f"no kind of engine opens it ({'; '.join(refusal.said for refusal in refusals)})"
    if all(refusal.may_pass for refusal in refusals):
        raise Unreachable(address, told)
    raise InputError("engine", address, told)


def _is_nobody_there(error: InputError | EngineError) -> bool:
    """Whether there was no connection at all: then no other kind has one either."""
    if isinstance(error, TimedOut):
        return error.deadline == "connect"
    return isinstance(error, Unreachable) and isinstance(error.__cause__, httpx2.ConnectError)
