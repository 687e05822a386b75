"""Profiles on disk: one an engine, by its name, or in a file of the user's; JSON with the version of its form."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from spex.engine.measured import VERSION, EngineProfile
from spex.errors import InputError

_BYTES_MAX = 1 << 20
_NAME_LETTERS = 60


class _Form(msgspec.Struct, frozen=True):
    spex_profile: int


def kept_path(engine_name: str) -> Path:
    """Where the profile of the engine of this name is kept: under `$XDG_CACHE_HOME/spex`, or `~/.cache/spex`."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The specification of these variables wants relative paths to be ignored.
    root = Path(given) if given and Path(given).is_absolute() else Path("~/.cache").expanduser()
    letters = re.sub(r"[^A-Za-z0-9.]+", "-", engine_name)[:_NAME_LETTERS].strip("-.")
    digest = blake2b(engine_name.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return root / "spex" / "profiles" / f"{letters}-{digest}.json"


def read_profile(path: Path) -> EngineProfile:
    """Raises `InputError` for what is no profile of this version."""
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError("profile", str(path), f"it cannot be read: {why}") from error
    if len(data) > _BYTES_MAX:
        raise InputError("profile", str(path), f"it must be a file of at most {_BYTES_MAX} bytes")
    try:
        found = msgspec.json.decode(data, type=_Form).spex_profile
        if found != VERSION:
            told = f"it is of version {found}, and this spex reads version {VERSION}: run `spex probe` again"
            raise InputError("profile", str(path), told)
        return msgspec.json.decode(data, type=EngineProfile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("profile", str(path), f"it is no profile that `spex probe` wrote: {error}") from error


def keep_profile(profile: EngineProfile) -> Path:
    """Keep it under its engine's name, in the place of an older one; where it is kept. Raises `OSError`."""
    path = kept_path(profile.engine)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".json")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_written(profile))
        Path(name).replace(path)  # whoever reads meanwhile reads the old one or the new one
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return path


def check_new(path: Path) -> None:
    """Raise `InputError` for a path at which no new file can be made."""
    if os.path.lexists(path):
        raise InputError("out", str(path), "it must be a new file: File exists")
    if not path.parent.is_dir():
        raise InputError("out", str(path), "it must be a new file: its folder is not there")


def write_profile(profile: EngineProfile, path: Path) -> None:
    """Write it to a new file. Raises `InputError`."""
    try:
        with path.open("xb") as file:
            file.write(_written(profile))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError("out", str(path), f"it must be a new file: {why}") from None


def _written(profile: EngineProfile) -> bytes:
    return msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n"
