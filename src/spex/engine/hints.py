"""Hints: what a request says beside what it asks for. They change when it is served, and never what comes of it.

Engines know one number of that kind, `priority`, and not one sign of it: SGLang serves the larger first, or with
`--schedule-low-priority-values-first` the smaller; vLLM the smaller. A call that the search has demanded comes before
one that is speculated, and each of the two kinds in the order in which they come, as our own lanes admit them. The
difference is 1: SGLang stops what runs only for a difference above 10 (its flag), and what runs by an old guess may
have been demanded since. No server can be told that. vLLM stops what runs only where its memory runs out, the largest
number first.

Who says nothing is 0 at vLLM, and at SGLang what `--default-priority-value` says, or else the last of all. A demanded
call stands with them, or next before the last of all; a speculation behind them, and never before them.

To retain: SGLang with `--radix-eviction-policy priority` gives up the prompts of small priorities first, so that what a
demanded call was written from stays longest. vLLM 0.32 takes no such hint, and llama.cpp neither of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from spex.engine.base import Progress

_INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Hints:
    """The priorities of a server's two kinds of calls; None where it takes none.

    orders: the server sorts its queue by them. retains: it keeps the prompts of demanded calls longer.
    """

    demanded: int | None = None
    speculative: int | None = None
    orders: bool = False
    retains: bool = False

    def of(self, progress: Progress) -> dict[str, object]:
        """What the request of `progress` says, as a part of its body."""
        priority = self.demanded if progress.demanded else self.speculative
        return {} if priority is None else {"priority": priority}


def sglang_hints(*, orders: bool, low_first: bool, usual: int | None, retains: bool, refuses: bool) -> Hints:
    """For a server that sorts by priority (`orders`) or evicts by it (`retains`), by what it says of itself.

    usual: the priority of requests without one. refuses: it aborts what has a priority while it does not sort.
    """
    if not orders:
        return Hints(0, -1, retains=True) if retains and not refuses else Hints()
    sooner, last = (-1, _INT64_MAX) if low_first else (1, -_INT64_MAX - 1)
    demanded = last + sooner if usual is None or usual == last else usual
    return Hints(demanded, demanded - sooner, orders=True, retains=retains and not low_first)


def vllm_hints(*, orders: bool) -> Hints:
    """For a server that runs with `--scheduling-policy priority`."""
    return Hints(0, 1, orders=True) if orders else Hints()
