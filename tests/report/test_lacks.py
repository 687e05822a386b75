"""What an engine has not got is told with what is lost by it, in the words of `spex probe`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from spex.engine.base import Capabilities, Counters
from spex.report.lacks import lacks_line, lacks_of
from spex.usage import Tokens

WHOLE = Capabilities(seed="whole", log_probabilities=True, abort_confirmed=True)


def test_of_an_engine_that_has_all_nothing_is_told() -> None:
    assert lacks_of(WHOLE) == []
    assert lacks_of(replace(WHOLE, seed="positional")) == []


@pytest.mark.parametrize(
    ("poor", "told"),
    [
        (replace(WHOLE, seed="none"), "no seeds .* one of many; it cannot be compared with the plain one's"),
        (replace(WHOLE, log_probabilities=False), "no log-probabilities — no confidence as a reward"),
        (replace(WHOLE, continues=False), "it does not go on from half an answer — steps are asked for in words"),
        (replace(WHOLE, counts=False), "no counts of the tokens of texts that are cut off — .* a guess"),
        (replace(WHOLE, abort_confirmed=False), "aborts are not confirmed — it cannot be told when one has stopped"),
    ],
)
def test_each_lack_is_told_with_what_is_lost(poor: Capabilities, told: str) -> None:
    (lack,) = lacks_of(poor)
    assert re.match(told, lack)


@dataclass(frozen=True)
class Poor:
    name: str = "mine"
    capabilities: Capabilities = replace(WHOLE, seed="none", log_probabilities=False)

    def counters(self) -> Counters:
        return Counters(0, Tokens())


def test_all_of_them_are_one_line_under_the_engine_s_name() -> None:
    line = lacks_line(Poor())
    assert line is not None
    assert line.startswith("mine: no seeds")
    assert "; no log-probabilities" in line
    assert lacks_line(Poor(capabilities=WHOLE)) is None
