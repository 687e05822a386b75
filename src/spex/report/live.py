"""The live view on a terminal: the tree of the current query as it grows, demanded and speculative."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from spex.events import Event
from spex.report.growth import Growth, Shoot
from spex.visible import one_line

_DRAWN_PER_SECOND = 10
_LINES_MAX = 40
_LINES_KEPT_FREE = 4


class LiveView:
    """Draws what happens; a context manager. Give it every event of a run of `problems` problems.

    It shows the query that began last and has not ended. A thread of its own draws ten times a
    second, whatever the run is waiting for; the view is gone from the screen when it is left.
    """

    def __init__(self, console: Console, problems: int, clock: Callable[[], float] = monotonic) -> None:
        self._console = console
        self._problems = problems
        self._clock = clock
        self._began_at_seconds = clock()
        self._growths: dict[str, Growth] = {}
        self._done = 0
        # Events come from the run's thread, pictures are taken in the drawing one.
        self._lock = Lock()
        self._live = Live(
            console=console, get_renderable=self.picture, refresh_per_second=_DRAWN_PER_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take an event."""
        with self._lock:
            growth = self._growths.setdefault(event.query, Growth(event.query))
            growth.follow(event)
            if growth.over:
                del self._growths[event.query]
                self._done += 1

    def picture(self) -> Group:
        """What the screen shows now."""
        with self._lock:
            return Group(*self._lines())

    def _lines(self) -> Iterator[Text]:
        yield self._head()
        growth = next(reversed(self._growths.values()), None)
        if growth is not None:
            height = max(4, min(_LINES_MAX, self._console.height - _LINES_KEPT_FREE))
            width = max(20, self._console.width - 1)
            yield Text(one_line(f"{growth.query} ({len(growth)} nodes)", width), style="bold")
            for shoot in growth.shoots(height):
                yield _line(shoot, width)

    def _head(self) -> Text:
        demanded = sum(growth.running(speculative=False) for growth in self._growths.values())
        ahead = sum(growth.running(speculative=True) for growth in self._growths.values())
        seconds = self._clock() - self._began_at_seconds
        return Text(
            f"{self._done}/{self._problems} done, {len(self._growths)} searching, {seconds:.1f} s; "
            f"running: {demanded} demanded, {ahead} speculative"
        )


def _line(shoot: Shoot, width: int) -> Text:
    indent = "  " * min(shoot.depth, width // 4)
    if shoot.running:
        text = f"{indent}▷ ahead" if shoot.speculative else f"{indent}▶ writing"
    else:
        reward = "  – " if shoot.reward is None else f"{shoot.reward:.2f}"
        ending = " ■" if shoot.terminal else ""
        text = f"{indent}{reward} {one_line(shoot.text, max(8, width - len(indent) - 7))}{ending}"
    return Text(text, style="dim" if shoot.speculative else "", no_wrap=True, overflow="crop")
