"""What kind of server answers at an address: asked as each kind is asked, by what it says of itself."""

from __future__ import annotations

from spex.engine.catalog import find_engine
from spex.errors import InputError, Misbehaving

_KINDS = ("sglang", "vllm", "openai")  # the one that needs least of a server is the last


async def spec_of(address: str) -> str:
    """The name of the engine for the server at `address`: the first kind that can open it.

    Raises `InputError` where none can, with what each of them says, and `EngineError` where nothing answers.
    """
    refusals = []
    for kind in _KINDS:
        spec = f"{kind}:{address}"
        engine = find_engine(spec)
        try:
            await engine.open()
        except (InputError, Misbehaving) as error:
            said = error.allowed if isinstance(error, InputError) else str(error).removeprefix(f"{spec}: ")
            refusals.append(f"{kind}: {said}")
            continue
        await engine.close()
        return spec
    raise InputError("engine", address, f"no kind of engine opens it ({'; '.join(refusals)})")
