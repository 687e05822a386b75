"""Plain, speculative and clairvoyant runs of the simulator, compared in virtual time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import msgspec

from spex.cli.choice import chosen, rule_name
from spex.cli.failures import DONE, ENVIRONMENT
from spex.cli.parameters import parameters_of
from spex.cli.results import together
from spex.cli.settings import SimulateSettings, told_as_typed
from spex.cli.streams import put, put_json, put_table, say, talk_console
from spex.control.clock import VIRTUAL_SECONDS_MAX
from spex.control.setup import Speculation
from spex.errors import InputError, InvariantError
from spex.events import Event, Sink
from spex.report.comparison import Comparison, ComparisonRecord, Point, Trial, comparison_record, point
from spex.report.comparison_tables import comparison_table, points_table, ratios_table
from spex.sim.arrivals import find_arrivals
from spex.sim.drafting import find_draft
from spex.sim.presets import find_preset
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import Workload, find_workload
from spex.speculate.catalog import find_market, find_rule
from spex.speculate.stopping import stopping_rule
from spex.trace.write import TraceWriter, check_new

_QUERIES_MIN = 64
_QUERIES_A_PLACE = 8
_PLOTTED = (1, 2, 4, 8, 16, 32, 64)


def compare(settings: SimulateSettings) -> int:
    """Run them in virtual time and print the figures; the exit code. Raises `InvariantError` when a tree differs."""
    if settings.plot is not None:
        from spex.report.plot import check_plot  # noqa: PLC0415  # for those who plot

        check_plot(settings.plot)
    with told_as_typed(settings):
        simulation = _simulation(settings)
        speculation = Speculation(rule=find_rule(settings.rule), market=find_market(settings.market))
        _refuse_late(settings, simulation)
        _refuse_places(settings)
    record, traced = _compared(simulation, speculation, _configuration(settings, simulation), settings.trace)
    if settings.plot is not None:
        points = _plotted(simulation, speculation, settings.queries, settings.plot)
        record = msgspec.structs.replace(record, points=points)
    _show(record, as_json=settings.json_)
    return DONE if traced else ENVIRONMENT


def _show(record: ComparisonRecord, *, as_json: bool) -> None:
    if as_json:
        put_json(msgspec.to_builtins(record))
        return
    put_table(comparison_table(record))
    put("")
    put_table(ratios_table(record))
    if record.points:
        put("")
        put_table(points_table(record.points))
    put("the trees are the same, node for node")


def _refuse_late(settings: SimulateSettings, simulation: Simulation) -> None:
    last_seconds = max(simulation.arrivals_seconds() or (0.0,))
    if last_seconds > VIRTUAL_SECONDS_MAX:
        told = (
            f"the last query would come after {last_seconds:.3g} s, and time ends here at {VIRTUAL_SECONDS_MAX:,.0f} s"
        )
        raise InputError("arrivals", settings.arrivals, f"{told}: name a higher rate, or fewer --queries")


def _refuse_places(settings: SimulateSettings) -> None:
    """What could not be written to is told before anything runs, and nothing is made of it."""
    if settings.plot is not None and settings.arrivals is not None:
        raise InputError("plot", str(settings.plot), "it is of 1 to 64 queries at once: leave --arrivals out")
    if settings.trace is not None:
        if settings.trace.name in ("", ".."):
            raise InputError("trace", str(settings.trace), "it must be what the names of two new files begin with")
        for path in _traces_of(settings.trace):
            check_new(path)


def queries_for(concurrency: int) -> int:
    """How many queries make figures worth printing at so many at once."""
    return max(_QUERIES_MIN, _QUERIES_A_PLACE * concurrency)


def _simulation(settings: SimulateSettings) -> Simulation:
    search, rule = chosen(settings)
    return Simulation(
        search=search,
        workload=_workload(settings),
        queries=settings.queries or queries_for(settings.concurrency),
        concurrency=settings.concurrency,
        seed=settings.seed,
        answer_rule=rule,
        arrivals=None if settings.arrivals is None else find_arrivals(settings.arrivals),
        stopping=stopping_rule(settings.stop),
    )


def _workload(settings: SimulateSettings) -> Workload:
    workload = find_workload(settings.workload)
    if settings.curve is not None:
        workload = workload.on(find_preset(settings.curve))
    return workload if settings.draft is None else workload.on(find_draft(settings.draft).on(workload.curve))


def _configuration(settings: SimulateSettings, simulation: Simulation) -> dict[str, object]:
    """What was run, in the types of JSON, by the names of the settings."""
    return {
        "search": settings.search,
        "set": parameters_of(simulation.search),
        "answer_rule": rule_name(settings, simulation.search),
        "aggregate": settings.aggregate,
        "stop": settings.stop,
        "merge": settings.merge,
        "workload": settings.workload,
        "curve": settings.curve,
        "draft": settings.draft,
        "rule": settings.rule,
        "market": settings.market,
        "queries": simulation.queries,
        "concurrency": settings.concurrency if settings.arrivals is None else None,
        "arrivals": settings.arrivals,
        "seed": settings.seed,
    }


def _compared(
    simulation: Simulation, speculation: Speculation, configuration: Mapping[str, object], trace: Path | None
) -> tuple[ComparisonRecord, bool]:
    """All runs, and whether their traces are whole. Raises `InvariantError` when they differ in a tree."""
    runs = Runs(simulation, speculation)
    with ExitStack() as stack:
        paths = _traces_of(trace) if trace else []
        traces = [stack.enter_context(TraceWriter(path, configuration)) for path in paths]
        plain = runs.plain(traces[:1])
        speculative = runs.speculative(traces[1:])
    for writer in traces:
        if writer.error is not None:
            say(writer.error)
    clairvoyant = runs.carry_out("clairvoyant", simulation.clairvoyant(plain.run))
    for other in (speculative, clairvoyant):
        _refuse_difference(simulation, plain, other)
    floor = simulation.floor(plain.run)
    compared = Comparison(
        plain=plain,
        speculative=speculative,
        clairvoyant=clairvoyant,
        floor_latencies_seconds=floor.latencies_seconds,
        floor_makespan_seconds=floor.makespan_seconds,
        concurrency=simulation.queries_at_once,
        arrivals_seconds=simulation.arrivals_seconds(),
        seed=simulation.seed,
    )
    record = comparison_record(compared, configuration, same_tree=True)
    return record, all(writer.error is None for writer in traces)


def _plotted(simulation: Simulation, speculation: Speculation, queries: int | None, path: Path) -> tuple[Point, ...]:
    """Plain and speculative runs at 1 to 64 queries at once, drawn to `path`."""
    from spex.report.plot import draw_plot  # noqa: PLC0415  # for those who plot

    points = []
    for concurrency in _PLOTTED:
        loop = replace(simulation, concurrency=concurrency, queries=queries or queries_for(concurrency), arrivals=None)
        runs = Runs(loop, speculation, f"{concurrency} at once, ")
        plain, speculative = runs.plain(), runs.speculative()
        _refuse_difference(loop, plain, speculative)
        points.append(point(concurrency, plain, speculative))
    draw_plot(path, points, f"{simulation.search!r}, workload {simulation.workload.name}")
    return tuple(points)


def _refuse_difference(simulation: Simulation, plain: Trial, other: Trial) -> None:
    differing: list[str] = []
    if not same_trees(plain.run, other.run, differing.append):
        raise InvariantError(f"seed {simulation.seed}: the trees of {', '.join(differing[:5])} differ")


def _traces_of(path: Path) -> list[Path]:
    return [Path(f"{path}.{kind}.jsonl") for kind in ("plain", "speculative")]


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one simulation, with their progress on a terminal."""

    simulation: Simulation
    speculation: Speculation
    where: str = ""

    def plain(self, sinks: Sequence[Sink] = ()) -> Trial:
        return self.carry_out("plain", None, sinks)

    def speculative(self, sinks: Sequence[Sink] = ()) -> Trial:
        return self.carry_out("speculative", self.speculation, sinks)

    def carry_out(self, kind: str, speculation: Speculation | None, sinks: Sequence[Sink] = ()) -> Trial:
        """One run, and the CPU time of this process in it."""
        with _Progress(f"{self.where}{kind}", self.simulation.queries) as progress:
            began = time.process_time()
            run = self.simulation.run(speculation, together([progress, *sinks]))
            return Trial(run, time.process_time() - began)


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
