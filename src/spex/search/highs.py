"""Programmes over variables that are 0 or 1, solved exactly by HiGHS (the package `highspy`).

HiGHS computes with floats, within tolerances. Here all values are whole numbers, whose sums floats tell each from the
next, and a better choice is better by 1 at least. Of several best choices the one is taken that has the first variable
at 1, then the second, and so on: values are shifted to the left, and as many variables as that makes room for are
weighed 2ⁿ⁻¹, 2ⁿ⁻², …, 1 besides, together less than a difference of one. One solve decides on n variables, and the next
one on those after them, with what is decided held fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from spex.errors import InputError, SearchError

if TYPE_CHECKING:
    from highspy import HighsLp

_ROOM_BITS = 44
# One thread; where others in this process have HiGHS at work with more, as many as these: the choice is the same.
_THREADS = (1, 0)
_OPTIONS: dict[str, bool | float] = {
    "output_flag": False,
    "random_seed": 0,
    "mip_rel_gap": 0.0,
    "mip_abs_gap": 0.0,
    "mip_feasibility_tolerance": 1e-9,
    "mip_heuristic_run_feasibility_jump": False,  # it takes two thirds of the time, and finds nothing sooner
}


def check_solver(search: str) -> None:
    """Raise `InputError`, with what to install, where there is no HiGHS for the search of that name."""
    if find_spec("highspy") is None:
        raise InputError("search", search, "it needs the package highspy: pip install 'spex-search[ets]'")


def solved(values: Sequence[int], rows: Sequence[Mapping[int, int]], decided: int) -> tuple[bool, ...]:
    """The first `decided` variables where Σ `values` of those at 1 is greatest.

    `rows` are sums that must be 0 or more, by the variables' numbers, the first one 1 or more. Values come to less than
    2⁴³ together, without their signs.
    """
    at_once = _ROOM_BITS - sum(map(abs, values)).bit_length()
    held: tuple[bool, ...] = ()
    while len(held) < decided:
        ahead = range(len(held), min(decided, len(held) + at_once))
        weighed = [value << len(ahead) for value in values]
        for place in ahead:
            weighed[place] += 1 << (ahead[-1] - place)
        variables = _optimum(_model(weighed, rows, held))
        held = tuple(value > 0.5 for value in variables[: ahead.stop])
    return held


def _optimum(model: HighsLp) -> Sequence[float]:
    from highspy import Highs, HighsModelStatus  # noqa: PLC0415  # half a second, and numpy: for this search alone

    for threads in _THREADS:
        highs = Highs()
        for option, value in _OPTIONS.items():
            highs.setOptionValue(option, value)
        highs.setOptionValue("threads", threads)
        highs.passModel(model)
        highs.run()
        if highs.getModelStatus() == HighsModelStatus.kOptimal:
            return list(highs.getSolution().col_value)
    raise SearchError(f"HiGHS found no best choice: {highs.getModelStatus()}")


def _model(values: Sequence[int], rows: Sequence[Mapping[int, int]], held: Sequence[bool]) -> HighsLp:
    from highspy import HighsLp, HighsVarType, MatrixFormat, ObjSense, kHighsInf  # noqa: PLC0415

    model = HighsLp()
    model.num_col_, model.num_row_ = len(values), len(rows)
    model.sense_ = ObjSense.kMaximize
    model.col_cost_ = list(map(float, values))
    free = len(values) - len(held)
    model.col_lower_ = [*map(float, held), *[0.0] * free]
    model.col_upper_ = [*map(float, held), *[1.0] * free]
    model.integrality_ = [HighsVarType.kInteger] * len(values)
    model.row_lower_ = [1.0, *[0.0] * (len(rows) - 1)]
    model.row_upper_ = [kHighsInf] * len(rows)
    matrix = model.a_matrix_
    matrix.format_ = MatrixFormat.kRowwise
    matrix.start_ = list(accumulate(map(len, rows), initial=0))
    matrix.index_ = list(chain.from_iterable(rows))
    matrix.value_ = [float(value) for row in rows for value in row.values()]
    return model
