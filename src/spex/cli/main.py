"""The command `spex`: its subcommands, and how they end."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from spex.cli import demo, doctor, searches, simulate, solve, version
from spex.cli.failures import UNREAD, failure_of
from spex.cli.streams import abandon_stdout, say, tolerate_any_text

_TRACEBACK = "--traceback"

app: typer.Typer = typer.Typer(
    name="spex",
    help="Tree-of-Thought search that does not wait for its rewards: the same tree, sooner.",
    epilog="Every option of a command is also a variable SPEX_<NAME> and a key of ./spex.toml.",
    rich_markup_mode=None,
)
app.command("solve")(solve.solve)
app.command("simulate")(simulate.simulate)
app.command("searches")(searches.searches)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("version")(version.version)


@app.callback(invoke_without_command=True)
def _spex(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    show_traceback: Annotated[bool, typer.Option(_TRACEBACK, help="Show where an error came from.")] = False,
) -> None:
    del show_traceback  # `main` has taken it out: it may stand anywhere
    if show_version:
        version.version()
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (default: the process's own) and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    wants_traceback = _TRACEBACK in arguments
    tolerate_any_text()
    try:
        code = _exit_code([argument for argument in arguments if argument != _TRACEBACK])
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001  # whatever it is, it becomes a line and an exit code
        failure = failure_of(error)
        if wants_traceback:
            traceback.print_exception(error)
        if failure.line is not None:
            say(failure.line)
        code = failure.exit_code
    if code == UNREAD:
        abandon_stdout()
    return code


def _exit_code(arguments: list[str]) -> int:
    ended_with = typer.main.get_command(app).main(arguments, prog_name="spex", standalone_mode=False)
    return ended_with if isinstance(ended_with, int) else 0
