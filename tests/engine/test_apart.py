"""One of several requests of a call: its costs and failures are the call's, once, however often it is gone on with."""

from __future__ import annotations

from spex.engine.apart import apart
from spex.engine.base import Progress
from spex.usage import Tokens


def test_what_a_request_costs_is_booked_once_though_it_is_gone_on_with() -> None:
    progress = Progress()
    with apart(progress) as own:
        own.spend(generated=3, prompt_uncached=5)
    with apart(progress, own) as again:
        assert again is own
        own.spend(generated=2)
    assert progress.cost == own.cost == Tokens(5, 0, 5, 0)
    with apart(progress, own):
        own.token_ids.clear()
        own.fail()
    assert (progress.cost, progress.lost) == (Tokens(), Tokens(5, 0, 5, 0))
    assert progress.parts == []


def test_the_seconds_of_a_call_tell_nothing_where_a_part_of_it_has_failed() -> None:
    progress = Progress()
    with apart(progress) as own:
        own.fail()
    assert progress.failed


def test_a_request_that_is_gone_on_with_is_demanded_when_its_call_is() -> None:
    progress = Progress(demanded=False)
    with apart(progress) as own:
        assert not own.demanded
    progress.demanded = True
    with apart(progress, own):
        assert own.demanded
