"""The demo's figures: a table to read, and one object for `--json`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.table import Table

from spex.demo.show import Demonstration, Shown, Side
from spex.report.records import SCHEMA_VERSION
from spex.report.table import table


class SideRecord(msgspec.Struct, frozen=True):
    """One search in one mode."""

    solved: int
    seconds: float
    tokens_useful: int
    tokens_wasted: int


class SearchRecord(msgspec.Struct, frozen=True):
    """One search in both modes. `speedup` is in useful tokens a second, the simulated one in seconds."""

    search: str
    plain: SideRecord
    speculative: SideRecord
    speedup: float
    same_tree: bool
    simulated_speedup: float
    simulated_same_tree: bool


class DemonstrationRecord(msgspec.Struct, frozen=True):
    """The one object of `spex demo --json`."""

    spex: int
    seed: int
    engine: str
    problems: int
    single_sample_rate: float
    searches: tuple[SearchRecord, ...]


def demonstration_record(seen: Demonstration, engine: str, seed: int) -> DemonstrationRecord:
    """The record of what was seen."""
    return DemonstrationRecord(
        spex=SCHEMA_VERSION,
        seed=seed,
        engine=engine,
        problems=seen.problems,
        single_sample_rate=seen.single_right / seen.single_samples,
        searches=tuple(_search_record(shown) for shown in seen.searches),
    )


def demonstration_table(record: DemonstrationRecord) -> Table:
    """A row for single samples, then two for each search."""
    rows = [("single sample", "", f"{record.single_sample_rate:.0%}", "", "", "", "", "")]
    for search in record.searches:
        rows.append((search.search, "plain", *_cells(search.plain, record.problems), "", ""))
        same = "yes, replayed" if search.same_tree else "NO"
        cells = _cells(search.speculative, record.problems)
        rows.append(("", "speculative", *cells, f"{search.speedup:.2f}", same))
    numbers = ("solved", "seconds", "tokens useful", "tokens wasted", "speed-up")
    return table(("search", "mode", *numbers, "same tree"), rows, numbers=numbers)


def closing_lines(record: DemonstrationRecord, remark: Sequence[str] = ()) -> tuple[str, ...]:
    """What the table does not say: most of all, which two runs "same tree" compares."""
    gains = ", ".join(f"{search.search} {search.simulated_speedup:.2f}x" for search in record.searches)
    same = all(search.simulated_same_tree for search in record.searches)
    return (
        "The two rows of a search are two live runs. llama.cpp's texts depend on what runs beside them, so the rows",
        "may differ in texts, and so in solved and tokens; their speed-up compares useful tokens a second.",
        '"Same tree" does not compare the rows: it is the plain run, replayed from the record of the speculative run.',
        *remark,
        f"The same searches on a simulated GPU (reference workload): {gains}; same trees: {'yes' if same else 'NO'}.",
    )


def _search_record(shown: Shown) -> SearchRecord:
    return SearchRecord(
        search=shown.name,
        plain=_side_record(shown.plain),
        speculative=_side_record(shown.speculative),
        speedup=shown.speed_up,
        same_tree=shown.same_tree,
        simulated_speedup=shown.simulated_speed_up,
        simulated_same_tree=shown.simulated_same_tree,
    )


def _side_record(side: Side) -> SideRecord:
    usage = side.usage
    return SideRecord(side.solved, side.seconds, usage.useful.generated, usage.wasted.generated)


def _cells(side: SideRecord, problems: int) -> tuple[str, str, str, str]:
    rate = f"{side.solved / problems:.0%}"
    return rate, f"{side.seconds:.1f}", f"{side.tokens_useful:,}", f"{side.tokens_wasted:,}"
