"""What `spex probe` does: open, measure, keep, and print."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from spex.cli.streams import put, put_json, say
from spex.engine.catalog import find_engine, is_address
from spex.engine.http import Deadlines
from spex.engine.measured import EngineProfile
from spex.engine.probe import probe
from spex.engine.probe_kind import spec_of
from spex.engine.profile_file import check_new, keep_profile, kept_path, read_profile, write_profile
from spex.engine.spread import Spread
from spex.engine.waits import waits_of
from spex.errors import InputError
from spex.report.engine_lines import engine_lines
from spex.visible import visible

_COLUMN = 19
_TYPED = {"policy": "engine", "model": "engine", "out": "--out"}


def measure(
    spec: str, out: Path | None, seconds_max: float, *, as_json: bool, waits: Mapping[str, float] | None = None
) -> None:
    """Measure the engine that `spec` names, keep what was found, and print it. Raises `SpexError`.

    waits: as `spex.engine.waits.waits_of` takes them.
    """
    with _as_typed():
        if out is not None:
            check_new(out)
        profile, spec = asyncio.run(_measured(spec, seconds_max, waits_of(waits or {}).unusual))
        path = _kept(profile, out)
    if as_json:
        put_json({"spex": 1, "profile": None if path is None else str(path), **msgspec.to_builtins(profile)})
    else:
        for subject, said in engine_lines(profile):
            put(f"{subject:<{_COLUMN}}{visible(said)}")
    if path is not None:
        say(visible(f"kept in {path}; {_use(profile, spec, out)}"))


async def _measured(spec: str, seconds_max: float, deadlines: Deadlines | None) -> tuple[EngineProfile, str]:
    """What was found, and the engine's name as --policy takes it."""
    spec = await spec_of(spec, deadlines) if is_address(spec) else spec
    engine = find_engine(spec, deadlines)
    if isinstance(engine, Spread):
        raise InputError("engine", spec, "it must be one server: each has a profile of its own")
    await engine.open()
    try:
        return await probe(engine, seconds_max=seconds_max, tell=lambda what: say(f"measuring {what}")), spec
    finally:
        await engine.close()


@contextmanager
def _as_typed() -> Iterator[None]:
    """What is refused inside is named as the user typed it."""
    try:
        yield
    except InputError as error:
        raise InputError(_TYPED.get(error.field, error.field), error.value, error.allowed) from error


def _kept(profile: EngineProfile, out: Path | None) -> Path | None:
    """Where it was written; None where nothing could be, which is said: what was measured is printed all the same."""
    if out is not None:
        write_profile(profile, out)
        return out
    try:
        if _is_less(profile):
            say("a kept profile has more than this one, and stays: give more --seconds, or --out FILE")
            return None
        return keep_profile(profile)
    except (OSError, RuntimeError) as error:
        say(visible(f"the profile cannot be kept: {error}"))
        return None


def _is_less(profile: EngineProfile) -> bool:
    """Whether one is kept of the same server and model that has all of this one, and more. Raises `OSError`."""
    with suppress(InputError):
        kept = read_profile(kept_path(profile.engine))
        same = (kept.version, kept.model) == (profile.version, profile.model)
        return same and kept.unmeasured.keys() < profile.unmeasured.keys()
    return False


def _use(profile: EngineProfile, spec: str, out: Path | None) -> str:
    if profile.itl is None:
        return "without ℓ(b) a run starts from a first belief as before"
    if out is None:
        return f"--policy {shlex.quote(spec)} starts from it"
    return f"--policy {shlex.quote(spec)} --profile {shlex.quote(str(out))} starts from it"
