"""Several rewards as one, as they are spelled: --reward "mean(3 judge, 1 arithmetic)"."""

from __future__ import annotations

import pytest

from spex.engine.base import innermost
from spex.engine.function import FunctionPolicy
from spex.engine.retrying import Retrying
from spex.errors import InputError
from spex.reward.base import servers_of
from spex.reward.combined import Combined
from spex.reward.joined import joined
from spex.reward.known_answer import WRONG
from spex.reward.named import find_reward
from tests.reward.paths import path, request, scores

URL = "sglang:http://127.0.0.1:30001"


def policy() -> Retrying:
    def choose(prompt: str, labels: tuple[str, ...]) -> tuple[float, float]:
        return (0.1, 0.7) if WRONG[-1] in prompt else (0.6, 0.2)

    return Retrying(FunctionPolicy(lambda prompt, seed: "", labels=choose))


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("product(judge, arithmetic)", ("product", ("judge", "arithmetic"), None)),
        (f"min(prm:math-shepherd@{URL},judge)", ("minimum", (f"prm:math-shepherd@{URL}", "judge"), None)),
        (" minimum ( judge ) ", ("minimum", ("judge",), None)),
        ("mean(3 judge, 0.5 arithmetic)", ("mean", ("judge", "arithmetic"), (3.0, 0.5))),
        ("mean(judge, min(a, product(b, c)))", ("mean", ("judge", "min(a, product(b, c))"), None)),
        ("mean(code:bwrap,all, arithmetic)", ("mean", ("code:bwrap,all", "arithmetic"), None)),
        ("mean(3 code:bwrap, all , 1 judge)", ("mean", ("code:bwrap,all", "judge"), (3.0, 1.0))),
        ("min(code:all,judge)", ("minimum", ("code:all", "judge"), None)),
        ("min(code:all, min(judge), code:bwrap,all)", ("minimum", ("code:all", "min(judge)", "code:bwrap,all"), None)),
        (f"min(judge@{URL},http://h:2,judge)", ("minimum", (f"judge@{URL},http://h:2", "judge"), None)),
        (
            f"mean(2 prm:m@{URL}, https://h:2#name, http://h:3, 1 prm:m@{URL})",
            ("mean", (f"prm:m@{URL},https://h:2#name,http://h:3", f"prm:m@{URL}"), (2.0, 1.0)),
        ),
        ("judge", None),
        (f"judge@{URL}", None),
        ("prm:/a(b)/c.toml", None),
        ("", None),
    ],
)
def test_a_spelling_has_one_reading(spec: str, parts: tuple[object, ...] | None) -> None:
    assert joined(spec) == parts


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("meen(judge, arithmetic)", "before the parenthesis there must be one of product, min, minimum, mean"),
        ("(judge)", "before the parenthesis"),
        ("mean()", "1 to 16 rewards"),
        ("mean(judge,)", "1 to 16 rewards"),
        (f"mean({', '.join(['arithmetic'] * 17)})", "1 to 16 rewards"),
        ("mean(judge), min(arithmetic)", "parentheses do not match"),
        ("mean((judge)", "parentheses do not match"),
        ("mean(" * 9 + "judge" + ")" * 9, "at most"),
        ("product(2 judge, 1 arithmetic)", "weights stand before each reward of a mean"),
        ("mean(2 judge, arithmetic)", "weights stand before each reward of a mean"),
        ("mean(0 judge, 0 arithmetic)", "weights: one of them at least must be above 0"),
        ("mean(judge, judje)", "did you mean judge"),
        (f"mean(judge@{URL}, judje)", "did you mean judge"),
        (f"mean(judge@{URL}, prn:m@{URL})", "did you mean prm"),
        ("mean(judge, all)", "'all' .*must be one of"),
        ("mean(judge, http://h)", "'http' .*must be one of"),
        ("mean(code:bwrap,al)", "'code:bwrap,al' .*bwrap, all or both"),
        ("mean(code:all,)", "1 to 16 rewards"),
        ("mean(judge, prm)", "prm:NAME@ENGINE"),
        ("mean(judge, confidence@nobody)", "needs no engine"),
        ("mean(-1 judge, 1 arithmetic)", "weights stand before each reward"),
    ],
)
def test_what_spells_no_rewards_is_refused_at_the_door(spec: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        find_reward(spec, policy())
    assert caught.value.field == "reward"


def test_a_path_is_scored_by_all_of_them() -> None:
    text = path("2 + 2 = 4, 1 + 1 = 3")
    judge, arithmetic = 0.75, scores(find_reward("arithmetic", policy()), request(text))[0]
    for spec, score in (
        ("product(judge, arithmetic)", judge * arithmetic),
        ("min(judge, arithmetic)", min(judge, arithmetic)),
        ("mean(3 judge, 1 arithmetic)", (3 * judge + arithmetic) / 4),
        ("mean(judge, min(judge, arithmetic))", (judge + min(judge, arithmetic)) / 2),
    ):
        assert scores(find_reward(spec, policy()), request(text)) == pytest.approx((score,))


def test_an_engine_that_is_named_twice_is_one() -> None:
    mine = policy()
    reward = find_reward(f"mean(judge@{URL}, min(rubric@{URL}, judge), value@{URL.replace('30001', '30002')})", mine)
    assert isinstance(reward, Combined)
    first, second, own, other = servers_of(reward)
    assert innermost(first) is innermost(second)
    assert own is mine
    assert innermost(other) is not innermost(first)


def test_a_part_may_have_several_servers_or_several_words_behind_its_name() -> None:
    other = "http://127.0.0.1:30002"
    reward = find_reward(f"mean(judge@{URL},{other}, code:bwrap,all, min(arithmetic, judge@{URL},{other}))", policy())
    judge = f"judge:{URL},{other}"
    assert reward.name == f"mean(1 {judge}, 1 code:bwrap,all, 1 minimum(arithmetic, {judge}))"
