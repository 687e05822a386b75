"""A plot of latency against throughput. Needs matplotlib, which comes with the extra `plot`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from spex.errors import InputError
from spex.report.comparison import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SUFFIXES = (".svg", ".png")
_INCHES = (7.0, 4.5)
_DOTS_PER_INCH = 150


def check_plot(path: Path) -> None:
    """Raise `InputError` where nothing could be drawn to `path`: better now than after the runs."""
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError("plot", str(path), f"it must be a file that ends in {' or '.join(_SUFFIXES)}")
    if not path.parent.is_dir() or path.is_dir():
        raise InputError("plot", str(path), "it must be a file in a folder that exists")
    if find_spec("matplotlib") is None:
        raise InputError("plot", str(path), "it needs matplotlib: pip install 'spex-search[plot]'")
    is_new = not path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise _cannot_be_written(path, error) from None
    if is_new:
        path.unlink()


def draw_plot(path: Path, points: Sequence[Point], title: str) -> None:
    """Draw both runs at each number of queries at once. Raises `InputError` where `path` cannot be written."""
    from matplotlib import rc_context  # noqa: PLC0415  # an extra, and slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context({"svg.hashsalt": "spex", "svg.fonttype": "none"}):  # the same figures give the same file
        figure = Figure(figsize=_INCHES, layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, points)
        axes.set_title(title, fontsize=9)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
        try:
            figure.savefig(path, dpi=_DOTS_PER_INCH, metadata=metadata)
        except OSError as error:
            raise _cannot_be_written(path, error) from None


def _cannot_be_written(path: Path, error: OSError) -> InputError:
    return InputError("plot", str(path), f"it cannot be written: {error.strerror or error}")


def _draw(axes: Axes, points: Sequence[Point]) -> None:
    plain = [(point.plain_queries_per_second, point.plain_latency_seconds_mean) for point in points]
    speculative = [(point.speculative_queries_per_second, point.speculative_latency_seconds_mean) for point in points]
    for name, marker, line in (("plain", "o", plain), ("speculative", "s", speculative)):
        throughputs, latencies = zip(*line, strict=True)
        axes.plot(throughputs, latencies, marker=marker, label=name)
        for point, at in zip(points, line, strict=True):
            axes.annotate(str(point.concurrency), at, textcoords="offset points", xytext=(4, 4), fontsize=7)
    axes.set(xlabel="throughput, queries a second", ylabel="mean latency, s", xscale="log")
    axes.margins(y=0.15)
    axes.set_ylim(bottom=0.0)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(loc="lower right", title="queries at once are at the marks", title_fontsize=8)
