"""Plain and speculative runs of the simulator, compared in virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec

from spex.cli.choice import chosen
from spex.cli.results import together
from spex.cli.settings import SimulateSettings
from spex.cli.streams import put, put_json, put_table, talk_console
from spex.control.run import Run
from spex.control.setup import Speculation
from spex.errors import InvariantError
from spex.events import Event
from spex.report.comparison import ComparisonRecord, comparison_record, comparison_table
from spex.report.records import summary_record
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import find_workload
from spex.trace.write import TraceWriter


def compare(settings: SimulateSettings) -> None:
    """Run both in virtual time and print the figures. Raises `InvariantError` when they differ in a tree."""
    record = _compared(settings)
    if settings.json_:
        put_json(msgspec.to_builtins(record))
    else:
        put_table(comparison_table(record))
        put("the trees are the same, node for node")


def _compared(settings: SimulateSettings) -> ComparisonRecord:
    """Both runs. Raises `InvariantError` when they differ in a tree."""
    search, rule = chosen(settings)
    workload = find_workload(settings.workload)
    simulation = Simulation(search, workload, settings.queries, settings.concurrency, settings.seed, rule)
    configuration = {
        "search": repr(search),
        "workload": settings.workload,
        "queries": str(settings.queries),
        "concurrency": str(settings.concurrency),
        "answer_rule": repr(rule),
        "seed": str(settings.seed),
    }
    with ExitStack() as stack:
        traces = [stack.enter_context(trace) for trace in _traces(settings.trace, configuration)]
        plain = _simulated(simulation, "plain", None, traces[:1])
        speculative = _simulated(simulation, "speculative", Speculation(), traces[1:])
    differing: list[str] = []
    if not same_trees(plain, speculative, differing.append):
        raise InvariantError(f"seed {settings.seed}: the trees of {', '.join(differing[:5])} differ")
    return comparison_record(
        summary_record(plain.solutions, plain.seconds),
        summary_record(speculative.solutions, speculative.seconds),
        configuration,
        same_trees=True,
    )


def _traces(path: Path | None, configuration: Mapping[str, str]) -> Iterator[TraceWriter]:
    for kind in ("plain", "speculative") if path else ():
        yield TraceWriter(Path(f"{path}.{kind}.jsonl"), configuration)


def _simulated(
    simulation: Simulation, kind: str, speculation: Speculation | None, traces: Sequence[TraceWriter]
) -> Run:
    with _Progress(kind, simulation.queries) as progress:
        return simulation.run(speculation, together([progress, *traces]))


class _Progress:
    """Counts finished queries on a terminal; a sink and a context manager."""

    def __init__(self, kind: str, queries: int) -> None:
        self._text = f"{kind} run: {{}} of {queries} queries"
        self._done = 0
        self._status = talk_console().status(self._text.format(0))

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def __call__(self, event: Event) -> None:
        if event.event == "query_finished":
            self._done += 1
            self._status.update(self._text.format(self._done))
