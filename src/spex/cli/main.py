"""The command `spex`: its subcommands, and how they end."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import typer

from spex.cli import demo, doctor, prm, probe, searches, simulate, solve, version
from spex.cli.failures import EXIT_CODES, failure_of
from spex.cli.names import NamingCommand
from spex.cli.streams import finish_stdout, prepare_streams, say, saying_what_is_logged

_TRACEBACK = "--traceback"

app: typer.Typer = typer.Typer(
    name="spex",
    help="Tree-of-Thought search that does not wait for its rewards: the same tree, sooner.",
    epilog=f"Every option of a command is also a variable SPEX_<NAME> and a key of ./spex.toml.\n\n{EXIT_CODES}",
    rich_markup_mode=None,
)
app.command("solve", cls=NamingCommand)(solve.solve)
app.command("simulate", cls=NamingCommand)(simulate.simulate)
app.command("searches")(searches.searches)
app.command("prm")(prm.prm)
app.command("probe", cls=NamingCommand)(probe.probe)
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
    prepare_streams()
    with saying_what_is_logged():
        code = _ended(partial(_exit_code, [word for word in arguments if word != _TRACEBACK]), wants_traceback)
    # A pipe that nobody reads, or a full disk, may show only now.
    return _ended(finish_stdout, wants_traceback) or code


def _ended(action: Callable[[], int | None], wants_traceback: bool) -> int:
    """The exit code of `action`; a failure becomes one line on standard error."""
    try:
        return action() or 0
    except BaseException as error:  # noqa: BLE001  # whatever it is, it becomes a line and an exit code
        failure = failure_of(error)
        if wants_traceback:
            traceback.print_exception(error)
        if failure.line is not None:
            say(failure.line)
        return failure.exit_code


def _exit_code(arguments: list[str]) -> int:
    ended_with = typer.main.get_command(app).main(arguments, prog_name="spex", standalone_mode=False)
    return ended_with if isinstance(ended_with, int) else 0
