"""An engine that starts from what was measured of it, in the place of a first belief."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from spex.engine.abilities import identity_of
from spex.engine.base import Capabilities, Completion, Counters, Engine, Generation, Labelling, Message, Progress
from spex.engine.measured import EngineProfile
from spex.engine.profile_file import kept_path, read_profile
from spex.engine.spread import Spread
from spex.errors import InputError
from spex.visible import one_line

_SHOWN = 200
_LOG = logging.getLogger("spex")


def profiled(engine: Engine, file: Path | None = None) -> Engine:
    """The engine with the profile in `file`, or with the one that is kept under its name, or as it is.

    Raises `InputError` for a `file` that is no profile. A kept one that cannot be read is told of, and not used.
    """
    if isinstance(engine, Spread):  # each of them costs what was measured of it
        return engine.each(lambda one: profiled(one, file))
    if file is not None:
        return Profiled(engine, read_profile(file))
    try:
        path = kept_path(engine.name)
        return Profiled(engine, read_profile(path)) if path.is_file() else engine
    except InputError as error:
        _LOG.warning("the kept profile is not used: %s", error)
    except (OSError, RuntimeError):  # a folder that may not be entered, a user without a home
        pass
    return engine


class Profiled:
    """Its capabilities are the engine's own ones with what was measured in the place of beliefs.

    A profile of another engine, version or model is not used, which the logger `spex` tells when the engine is opened.
    """

    def __init__(self, engine: Engine, profile: EngineProfile) -> None:
        self.inner = engine
        self._profile = profile
        self._known: Capabilities | None = None
        self._told = False

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities if self._known is None else self._known

    def counters(self) -> Counters:
        return self.inner.counters()

    async def open(self) -> None:
        await self.inner.open()
        difference = _difference(self._profile, self.inner)
        self._known = self._profile.applied(self.inner.capabilities) if difference is None else None
        if difference is not None and not self._told:
            self._told = True
            _LOG.warning("%s: its profile is not used, for %s; `spex probe` makes a new one", self.name, difference)

    async def close(self) -> None:
        await self.inner.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self.inner.encode(text)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self.inner.encode_chat(messages)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        return await self.inner.generate(request, progress)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self.inner.label(request, progress)


def _difference(profile: EngineProfile, engine: Engine) -> str | None:
    """Why the profile is another engine's; None where it is not. Who says nothing of itself is known by its name."""
    version, model, drafts = identity_of(engine)
    if version != profile.version:
        its, this = _shown(profile.version, "an unknown version"), _shown(version, "one that does not say")
        return f"it is of {its}, and this is {this}"
    if model != profile.model:
        return f"it is of the model {_shown(profile.model, '(unknown)')}, and this is {_shown(model, '(unknown)')}"
    if drafts != profile.drafts:
        its, this = _shown(profile.drafts, "nothing"), _shown(drafts, "nothing")
        return f"it is of one that drafts with {its}, and this one with {this}"
    if not version and not model and profile.engine != engine.name:
        return f"it is of {_shown(profile.engine, '(unknown)')}"
    return None


def _shown(text: str, none: str) -> str:
    """What a server or a file says of itself, on one line of a bearable length."""
    return one_line(text, _SHOWN) or none
