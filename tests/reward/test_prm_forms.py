"""Forms of PRMs: what is listed, what a file may say, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spex.errors import InputError
from spex.reward.prm_catalog import find_form, form_of, prm_model, prm_models
from spex.reward.prm_form import Form, HeadForm, PrmForm, pieces_of

TEXT = PrmForm("text", tag="|")
HEAD = HeadForm("head")


def spoilt(form: Form, field: str, value: Any) -> Form:
    return replace(form, **{field: value})


def test_every_listed_model_has_a_form_and_a_server() -> None:
    models = prm_models()
    assert len(models) >= 8
    for model in models:
        form = find_form(model.name)
        assert form == find_form(model.form)
        assert form.name == model.form
        assert prm_model(model.name) == model
        assert {type(model.sglang), type(model.vllm)} & {tuple}
        assert model.source


def test_the_forms_of_math_shepherd_and_rlhflow_are_those_of_their_authors() -> None:
    shepherd = find_form("math-shepherd")
    assert isinstance(shepherd, PrmForm)
    said = "".join(piece + shepherd.tag for piece in pieces_of(shepherd, "Q?\n", ["a", "Step 2: b"]))
    assert (shepherd.begin, said) == ("<s>", "Q? Step 1: a ки\nStep 2: b ки")
    flow = find_form("rlhflow")
    assert isinstance(flow, PrmForm)
    assert flow.chat
    assert pieces_of(flow, "Q?", ["a", "b"]) == ["Q? a", "b"]


@pytest.mark.parametrize("ending", [".toml", ".json"])
def test_a_file_gives_another_form(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"mine{ending}"
    values = {"good": "A", "bad": "B", "opening": "{problem}\n", "tag": "\n=", "of_two": False}
    told = json.dumps(values)
    if ending == ".toml":
        told = 'good = "A"\nbad = "B"\nopening = "{problem}\\n"\ntag = "\\n="\nof_two = false\n'
    path.write_text(told, encoding="utf-8")
    assert find_form(str(path)) == PrmForm("mine", good="A", bad="B", opening="{problem}\n", tag="\n=", of_two=False)


def test_a_file_may_say_what_its_models_know(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('tag = "|"\nknown = ["1 + 1", ["it is 2"], ["well", "it is 3"]]\n')
    assert find_form(str(path)) == PrmForm("mine", tag="|", known=("1 + 1", ("it is 2",), ("well", "it is 3")))


def test_what_a_form_knows_is_laid_out_as_a_path_is_whatever_its_lists_are() -> None:
    known = ("1 + 1", ("it is 2",), ("it is 3",))
    for given in ((" 1 + 1\n", ["it is 2\n"], ["it is 3"]), ["1 + 1", ("it is 2",), [" it is 3"]]):
        form = form_of("mine", {"tag": "|", "known": given})
        assert form == replace(TEXT, name="mine", known=known)
        assert len({form, replace(TEXT, name="mine", known=known)}) == 1


def test_a_file_with_outputs_is_of_a_score_head(tmp_path: Path) -> None:
    path = tmp_path / "head.toml"
    path.write_text('tag = "<extra_0>"\noutputs = 2\ngood = 1\n')
    assert find_form(str(path)) == HeadForm("head", tag="<extra_0>", outputs=2, good=1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("good = ", "cannot be read"),
        ("taag = '|'", "did you mean tag"),
        ("outputs = 2\ngood = 2", "0 to 1"),
        ("tag = '|'\ngood = 3", "form.good"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_form_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        find_form(str(path))


def test_a_file_that_is_not_there_or_too_long_or_no_table_is_refused(tmp_path: Path) -> None:
    long, array = tmp_path / "long.toml", tmp_path / "array.json"
    long.write_text("#" * (1 << 17))
    array.write_text("[" * 100_000)
    for path in (tmp_path / "none.toml", tmp_path, long, array):
        with pytest.raises(InputError) as caught:
            find_form(str(path))
        assert caught.value.field == "reward"
    array.write_text("[1]")
    with pytest.raises(InputError, match="keys of a form"):
        find_form(str(array))


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"did you mean math-shepherd\?"):
        find_form("math-sheperd")
    with pytest.raises(InputError, match=r"did you mean versaprm-8b\?"):
        prm_model("versaprm-7b")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("good", ""),
        ("good", 5),
        ("bad", "+"),
        ("opening", "no place"),
        ("opening", "{problem}{problem}"),
        ("tag", ""),
        ("tag", "x" * 5000),
        ("chat", "yes"),
        ("chat", True),
        ("control", 1),
        ("of_two", None),
        ("begin", 1),
        ("known", ("a problem", ("right",))),
        ("known", ("a problem", ("right",), ("right",))),
        ("known", ("a problem", (), ("wrong",))),
        ("known", ("a problem", ("right",), (1,))),
        ("known", ("a problem", ("right",), ())),
        ("known", ("a problem", ("right",), "wrong")),
        ("known", ("a problem", ("right", " "), ("wrong",))),
        ("known", (" ", ("right",), ("wrong",))),
        ("known", ("a problem", (" right",), ("right",))),
        ("known", ("a problem", ("right",), ("w" * 5000,))),
        ("known", ("a problem", ("right",), ("\ud800",))),
        ("known", "a problem"),
        ("opening", "{problem}\ud800"),
    ],
)
def test_a_field_of_a_form_with_label_tokens_that_is_none_is_refused(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        spoilt(TEXT, field, value)
    assert caught.value.field == f"form.{field}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outputs", 0),
        ("outputs", 17),
        ("outputs", True),
        ("good", 1),
        ("good", -1),
        ("tag", ""),
        ("every", 1),
        ("logits", "no"),
        ("known", ("a problem", "right", "wrong")),
    ],
)
def test_a_field_of_a_form_with_a_score_head_that_is_none_is_refused(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        spoilt(HEAD, field, value)
    assert caught.value.field == f"form.{field}"


def test_a_score_for_the_whole_needs_no_tag() -> None:
    assert form_of("whole", {"outputs": 1, "tag": "", "every": False}) == HeadForm("whole", tag="", every=False)
