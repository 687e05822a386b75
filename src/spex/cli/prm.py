"""`spex prm`: the process reward models that have a name here, and the commands by which they are served."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from spex.cli.streams import put, put_json
from spex.engine.local_model import PACKAGED, packaged_folder

if TYPE_CHECKING:
    from spex.reward.prm_catalog import PrmModel, PrmServer


class Installed(NamedTuple):
    """A server that this Python could import, by the distribution that it came as."""

    distribution: str
    version: str


def prm(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of those that `spex prm` lists.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """List process reward models, or print how NAME is served, and how it is named as --reward.

    spex prm math-shepherd-7b
    """
    from spex.reward.prm_catalog import prm_model, prm_models, prm_servers  # noqa: PLC0415  # reads the list

    models, servers = prm_models() if name is None else (prm_model(name),), prm_servers()
    if as_json:
        put_json({"spex": 1, "prms": [_record(model, servers) for model in models]})
    elif name is None:
        put("\n".join(_lines(models, servers)))
    else:
        put("\n".join(_told(models[0], servers)))


def server_command(model: PrmModel, server: PrmServer, installed: Installed | None) -> str | None:
    """The command line that serves `model` by `server` as it is installed, or usually is; None where it does not."""
    flags = _flags(model, server)
    if isinstance(flags, str):
        return None
    named = str(packaged_folder(model.model)) if model.model in PACKAGED else model.model
    start = server.starts[installed.distribution] if installed else next(iter(server.starts.values()))
    return shlex.join([*start, named, "--port", str(server.port), *flags])


def installed_of(server: PrmServer) -> Installed | None:
    """What of the server is installed beside SPEX, in this Python's environment; None for nothing."""
    for distribution in server.starts:
        with suppress(PackageNotFoundError):
            return Installed(distribution, version(distribution))
    return None


def _told_of_version(server: PrmServer, installed: Installed | None) -> str:
    here = "not installed here"
    if installed is not None:
        build = "" if installed.distribution == server.name else f" ({installed.distribution})"
        here = f"installed: {server.title} {installed.version}{build}"
    return f"flags checked with {server.title} {server.checked}; {here}"


def _warning(server: PrmServer, installed: Installed | None) -> str | None:
    """Where another minor version is installed; a higher patch level is taken to have the same flags."""
    if installed is None or installed.version.split(".")[:2] == server.checked.split(".")[:2]:
        return None
    told = f"flags and tasks may have other names in {server.title} {installed.version} than in {server.checked}"
    return f"{told}: compare its --help"


def _lines(models: Sequence[PrmModel], servers: Sequence[PrmServer]) -> Iterator[str]:
    column = max(len(model.name) for model in models) + 2
    wide = max(len(model.model) for model in models) + 2
    for model in models:
        yield f"{model.name:<{column}}{model.model:<{wide}}{', '.join(_names(model, servers))}"
    yield ""
    yield "`spex prm NAME` prints the commands; --reward prm:FILE.toml@ENGINE is for a form of your own."


def _told(model: PrmModel, servers: Sequence[PrmServer]) -> Iterator[str]:
    yield f"{model.name}: {model.model}"
    yield f"from {model.source}"
    if model.embedded:
        yield ""
        yield f"spex solve --reward prm:{model.name}@{model.embedded} …"
    for server in servers:
        installed = installed_of(server)
        command = server_command(model, server, installed)
        yield ""
        if command is None:
            yield f"{server.name}: not served; {_flags(model, server)}"
            continue
        yield _told_of_version(server, installed)
        if (warning := _warning(server, installed)) is not None:
            yield f"warning: {warning}"
        yield command
        yield f"spex solve --reward {_reward(model, server)} …"


def _flags(model: PrmModel, server: PrmServer) -> tuple[str, ...] | str:
    flags: tuple[str, ...] | str = getattr(model, server.name)
    return flags


def _names(model: PrmModel, servers: Sequence[PrmServer]) -> list[str]:
    own = [model.embedded.partition(":")[0]] if model.embedded else []
    return [*own, *(server.name for server in servers if not isinstance(_flags(model, server), str))]


def _reward(model: PrmModel, server: PrmServer) -> str:
    return f"prm:{model.name}@{server.name}:http://127.0.0.1:{server.port}"


def _record(model: PrmModel, servers: Sequence[PrmServer]) -> dict[str, object]:
    own: list[dict[str, object]] = []
    if model.embedded:
        name, reward = model.embedded.partition(":")[0], f"prm:{model.name}@{model.embedded}"
        own.append({"server": name, "command": None, "reward": reward})
    theirs = [_served(model, server) for server in servers if not isinstance(_flags(model, server), str)]
    return {
        "name": model.name,
        "model": model.model,
        "form": model.form,
        "source": model.source,
        "servers": [*own, *theirs],
    }


def _served(model: PrmModel, server: PrmServer) -> dict[str, object]:
    installed = installed_of(server)
    return {
        "server": server.name,
        "command": server_command(model, server, installed),
        "reward": _reward(model, server),
        "checked": server.checked,
        "installed": None if installed is None else installed.version,
        "distribution": None if installed is None else installed.distribution,
        "warning": _warning(server, installed),
    }
