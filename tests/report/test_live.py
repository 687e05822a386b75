"""The live view: what a terminal shows of a run, and that a model cannot write to it."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from spex.events import Event
from spex.report.live import LiveView


class Screen:
    """A terminal of 80 x 24 that keeps what is written, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.file = StringIO()
        self.console = Console(file=self.file, force_terminal=True, width=80, height=24, color_system=None)
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def text(self, view: LiveView) -> str:
        file = StringIO()
        Console(file=file, force_terminal=True, width=80, color_system=None).print(view.picture())
        return file.getvalue()


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def view(screen: Screen) -> Iterator[LiveView]:
    with LiveView(screen.console, problems=3, clock=screen.clock) as shown:
        yield shown


def begin(view: LiveView, query: str, *texts: str) -> None:
    view(Event(0.0, query, "query_started"))
    for number, text in enumerate(texts):
        call = f"expand:root>step.{number}"
        view(Event(1.0, query, "started", call=call, kind="expand", speculative=False))
        view(Event(1.0, query, "finished", call=call, kind="expand", speculative=False, texts=(text,)))


def test_it_shows_texts_rewards_and_what_is_running(screen: Screen, view: LiveView) -> None:
    begin(view, "sum-1", "add the numbers")
    view(Event(2.0, "sum-1", "finished", call="score:reward.0:step.0", kind="score", scores=(0.75,)))
    view(Event(3.0, "sum-1", "started", call="expand:step.0>step.0", kind="expand", speculative=False))
    view(Event(3.0, "sum-1", "started", call="expand:step.0>step.1", kind="expand", speculative=True))
    assert screen.text(view).splitlines() == [
        "0/3 done, 1 searching, 0.0 s; running: 1 demanded, 1 speculative",
        "sum-1 (3 nodes)",
        "0.75 add the numbers",
        "  ▶ writing",
        "  ▷ ahead",
    ]


def test_an_end_is_marked_as_an_end_and_not_as_right(screen: Screen, view: LiveView) -> None:
    call = "expand:root>step.0"
    view(Event(1.0, "q", "finished", call=call, kind="expand", speculative=False, texts=("42",), terminals=(True,)))
    assert screen.text(view).splitlines()[-1] == "  –  42 ■"


def test_it_shows_the_query_that_began_last_and_goes_back_when_that_ends(screen: Screen, view: LiveView) -> None:
    begin(view, "one", "first text")
    begin(view, "two", "second text")
    assert "second text" in screen.text(view)
    view(Event(5.0, "two", "query_finished"))
    assert "first text" in screen.text(view)
    assert screen.text(view).startswith("1/3 done, 1 searching")


def test_it_shows_the_count_alone_when_nothing_is_searched(screen: Screen, view: LiveView) -> None:
    assert len(screen.text(view).splitlines()) == 1


@pytest.mark.parametrize(
    "hostile", ["[bold red]x[/]", "[link=file:///etc/passwd]x[/link]", "\x1b]52;c;eA==\x07", "\x1b[2J", "\u202ex"]
)
def test_a_models_text_is_neither_markup_nor_control(screen: Screen, view: LiveView, hostile: str) -> None:
    begin(view, hostile, hostile)
    shown = screen.text(view)
    assert all(line.isprintable() for line in shown.splitlines())
    assert shown.count("[bold red]x[/]") == 2 * (hostile == "[bold red]x[/]")


def test_the_picture_is_of_now_whether_or_not_anything_happens(screen: Screen, view: LiveView) -> None:
    begin(view, "q", "a")
    view(Event(1.0, "q", "started", call="expand:root>step.9", kind="expand", speculative=True))
    assert "1 speculative" in screen.text(view)
    screen.now += 12.5
    assert "12.5 s" in screen.text(view)


def test_a_tree_larger_than_the_screen_stays_inside_it(screen: Screen, view: LiveView) -> None:
    begin(view, "q", *(f"text {number} " * 40 for number in range(500)))
    assert len(screen.text(view).splitlines()) <= 24


def test_it_leaves_the_screen_as_it_was(screen: Screen) -> None:
    with LiveView(screen.console, problems=1, clock=screen.clock) as shown:
        begin(shown, "q", "gone afterwards")
    after = screen.file.getvalue().rpartition("gone afterwards")[2]
    assert "\x1b[2K" in after or "\x1b[1A" in after
