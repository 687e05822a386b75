"""The search that was asked for, with the rule by which its answers vote."""

from __future__ import annotations

from typing import NamedTuple

from spex.answer import AnswerRule, answer_rule
from spex.cli.settings import SharedSettings
from spex.errors import InputError
from spex.search.base import AnySearch
from spex.search.catalog import answer_rule_of, build_search
from spex.search.merging import Merging


class Choice(NamedTuple):
    """A search and an answer rule."""

    search: AnySearch
    rule: AnswerRule


def chosen(settings: SharedSettings) -> Choice:
    """The search by its name and parameters; the rule that was named, else the search's own. Raises `InputError`."""
    try:
        search = build_search(settings.search, settings.set_)
    except InputError as error:
        raise InputError(_typed(error.field, settings), error.value, error.allowed) from None
    rule = answer_rule(rule_name(settings, search), settings.aggregate)
    return Choice(Merging(search) if settings.merge else search, rule)


def rule_name(settings: SharedSettings, search: AnySearch) -> str:
    """The name of the answer rule."""
    return settings.answer_rule or answer_rule_of(search)


def _typed(field: str, settings: SharedSettings) -> str:
    """The search and its parameters as they were typed: a parameter may be called as a setting is (`temperature`)."""
    if field in {"search", "set"} - settings.set_.keys():
        return settings.typed(field)
    return f"{settings.typed('set')} {field}"
