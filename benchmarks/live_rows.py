"""What was measured on real servers: rows, the file that keeps them, and the lines of their table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from spex.engine.measured import EngineProfile
from spex.report.intervals import interval, mean_ratio

HEAD = [
    "search",
    "at once",
    "queries",
    "plain, s",
    "speculative, s",
    "ratio [95 %]",
    "clairvoyant",
    "share",
    "explained",
    "wasted / useful",
    "prompt cached",
    "right",
]


class Side(msgspec.Struct, frozen=True):
    """One way of searching: latencies in the order of the problems, tokens of all of them.

    `score_seconds`: how long a score took on average, from when it was sent; None where there was none, and in rows of
    before it was kept.
    """

    latencies_seconds: list[float]
    tokens_useful: int
    tokens_wasted: int
    prompt_cached: int
    prompt_uncached: int
    correct: int
    score_seconds: float | None = None

    @property
    def latency_seconds_mean(self) -> float:
        return sum(self.latencies_seconds) / len(self.latencies_seconds)

    @property
    def cached_share(self) -> float:
        return self.prompt_cached / max(1, self.prompt_cached + self.prompt_uncached)


class Virtual(msgspec.Struct, frozen=True):
    """The plain runs on a virtual clock: latencies in the order of the problems."""

    plain_seconds: list[float]
    clairvoyant_seconds: list[float]
    reward_seconds: float

    @property
    def clairvoyant(self) -> float:
        """The speed-up of a schedule that knows what will be demanded."""
        return sum(self.plain_seconds) / sum(self.clairvoyant_seconds)


class Row(msgspec.Struct, frozen=True):
    """One search at one load.

    `profiled`: the price began with what the probe had measured. `emptied`: the servers' caches were, before each run.
    """

    policy: str
    reward: str
    search: str
    concurrency: int
    plain: Side
    speculative: Side
    virtual: Virtual
    profiled: bool = False
    emptied: bool = False

    @property
    def ratio(self) -> float:
        return self.plain.latency_seconds_mean / self.speculative.latency_seconds_mean

    @property
    def share(self) -> float | None:
        """Of the clairvoyant gain; None where a hundredth or less could be won."""
        most = 1.0 - 1.0 / self.virtual.clairvoyant
        return (1.0 - 1.0 / self.ratio) / most if most > 0.01 else None


class Rows(msgspec.Struct, frozen=True):
    """One run of this program: what was measured of the policy's server, and the rows. A file has several."""

    profile: EngineProfile
    rows: list[Row]


def entries(row: Row) -> list[str]:
    """A row of the table."""
    plain, speculative = row.plain, row.speculative
    statistic = mean_ratio(plain.latencies_seconds, speculative.latencies_seconds)
    found = interval(row.ratio, statistic, len(plain.latencies_seconds), seed=0)
    between = "" if found.low is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return [
        row.search,
        str(row.concurrency),
        str(len(plain.latencies_seconds)),
        f"{plain.latency_seconds_mean:.1f}",
        f"{speculative.latency_seconds_mean:.1f}",
        f"{row.ratio:.2f}{between}",
        f"{row.virtual.clairvoyant:.2f}",
        "–" if row.share is None else f"{row.share:.0%}",
        f"{sum(row.virtual.plain_seconds) / sum(plain.latencies_seconds):.0%}",
        f"{speculative.tokens_wasted / max(1, speculative.tokens_useful):.2f}",
        f"{plain.cached_share:.0%} / {speculative.cached_share:.0%}",
        f"{plain.correct} / {speculative.correct}",
    ]


def pace_line(profile: EngineProfile) -> str:
    """The server, and its ℓ(b)."""
    points = [] if profile.itl is None else profile.itl.points
    told = ", ".join(f"{1000 * point.itl_seconds:.1f} at {point.running}" for point in points)
    return f"{profile.version}: ms a token: {told or 'not measured'}"


def kept(file: Path) -> list[Rows]:
    """What earlier runs have put there."""
    return msgspec.json.decode(file.read_bytes(), type=list[Rows]) if file.exists() else []


def keep(file: Path, runs: Sequence[Rows]) -> None:
    file.write_bytes(msgspec.json.format(msgspec.json.encode(runs), indent=1) + b"\n")
