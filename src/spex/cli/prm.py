"""`spex prm`: the process reward models that have a name here, and the commands by which they are served."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from spex.cli.streams import put, put_json
from spex.engine.local_model import PACKAGED, packaged_folder

if TYPE_CHECKING:
    from spex.reward.prm_catalog import PrmModel

_PORTS: Mapping[str, int] = {"sglang": 30001, "vllm": 8001}


def prm(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of those that `spex prm` lists.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """List process reward models, or print how NAME is served, and how it is named as --reward.

    spex prm math-shepherd-7b
    """
    from spex.reward.prm_catalog import prm_model, prm_models  # noqa: PLC0415  # reads the list

    models = prm_models() if name is None else (prm_model(name),)
    if as_json:
        put_json({"spex": 1, "prms": [_record(model) for model in models]})
    elif name is None:
        put("\n".join(_lines(models)))
    else:
        put("\n".join(_told(models[0])))


def server_command(model: PrmModel, server: str) -> str | None:
    """The command line that serves `model` by `sglang` or `vllm`; None where it does not."""
    flags = {"sglang": model.sglang, "vllm": model.vllm}.get(server, "it runs in this process")
    if isinstance(flags, str):
        return None
    named = str(packaged_folder(model.model)) if model.model in PACKAGED else model.model
    start = {
        "sglang": ["python", "-m", "sglang.launch_server", "--model-path", named],
        "vllm": ["vllm", "serve", named],
    }[server]
    return shlex.join([*start, "--port", str(_PORTS[server]), *flags])


def _lines(models: Sequence[PrmModel]) -> Iterator[str]:
    column = max(len(model.name) for model in models) + 2
    wide = max(len(model.model) for model in models) + 2
    for model in models:
        yield f"{model.name:<{column}}{model.model:<{wide}}{', '.join(_servers(model))}"
    yield ""
    yield "`spex prm NAME` prints the commands; --reward prm:FILE.toml@ENGINE is for a form of your own."


def _told(model: PrmModel) -> Iterator[str]:
    yield f"{model.name}: {model.model}"
    yield f"from {model.source}"
    if model.embedded:
        yield ""
        yield f"spex solve --reward prm:{model.name}@{model.embedded} …"
    for server in _PORTS:
        command = server_command(model, server)
        flags = model.sglang if server == "sglang" else model.vllm
        yield ""
        if command is None:
            yield f"{server}: not served; {flags}"
        else:
            yield command
            yield f"spex solve --reward {_reward(model, server)} …"


def _servers(model: PrmModel) -> list[str]:
    own = [model.embedded.partition(":")[0]] if model.embedded else []
    return [*own, *(server for server in _PORTS if server_command(model, server))]


def _reward(model: PrmModel, server: str) -> str:
    if server not in _PORTS:
        return f"prm:{model.name}@{model.embedded}"
    return f"prm:{model.name}@{server}:http://127.0.0.1:{_PORTS[server]}"


def _record(model: PrmModel) -> dict[str, object]:
    return {
        "name": model.name,
        "model": model.model,
        "form": model.form,
        "source": model.source,
        "servers": [
            {"server": server, "command": server_command(model, server), "reward": _reward(model, server)}
            for server in _servers(model)
        ],
    }
