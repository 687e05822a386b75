"""The demo on a screen: the tree as it grows, then the table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext

import msgspec

from spex.cli.failures import DONE, INTERNAL
from spex.cli.results import live_view
from spex.cli.settings import SolveSettings
from spex.cli.streams import put, put_json, put_table, say
from spex.demo.figures import closing_lines, demonstration_record, demonstration_table
from spex.demo.programmes import Programme, programmes
from spex.demo.show import Demonstration, Stage, demonstrate, simulate
from spex.engine.llamacpp import LlamaCpp
from spex.errors import InputError
from spex.events import Sink
from spex.report.lacks import lacks_line
from spex.visible import visible


def show(name: str, settings: SolveSettings) -> int:
    """Run the demo, print what came of it, and return the exit code. Raises `InputError` for what is missing."""
    known = programmes()
    if name not in known:
        raise InputError("programme", name, f"it must be one of {', '.join(known)}")
    programme = known[name]
    engine = programme.policy(settings.model)
    live = live_view(len(programme.problems[: settings.limit]), quiet=settings.quiet)
    tell = _silent if settings.quiet or live is not None else say
    with live or nullcontext():
        seen = asyncio.run(_seen(programme, engine, settings, live, tell))
    tell("the same searches on a simulated GPU")
    simulate(seen, programme, settings.seed)
    record = demonstration_record(seen, engine.name, settings.seed)
    if settings.json_:
        put_json(msgspec.to_builtins(record))
    else:
        put_table(demonstration_table(record))
        for line in closing_lines(record, programme.remark):
            put(line)
    same = all(search.same_tree and search.simulated_same_tree for search in record.searches)
    return DONE if same else INTERNAL


async def _seen(
    programme: Programme, engine: LlamaCpp, settings: SolveSettings, sink: Sink | None, tell: Callable[[str], None]
) -> Demonstration:
    await engine.open()
    if (line := lacks_line(engine)) is not None and not settings.quiet:
        say(visible(line))
    try:
        reward = programme.reward()
        await reward.open()
        try:
            return await demonstrate(Stage(programme, engine, reward, settings.seed, sink), settings.limit, tell)
        finally:
            await reward.close()
    finally:
        await engine.close()


def _silent(line: str) -> None:
    """Nobody asked to be told."""
