"""The search that was asked for, with the rule by which its answers vote."""

from __future__ import annotations

from typing import NamedTuple

from spex.answer import AnswerRule, answer_rule
from spex.cli.settings import SharedSettings
from spex.search.base import AnySearch
from spex.search.catalog import answer_rule_of, build_search


class Choice(NamedTuple):
    """A search and an answer rule."""

    search: AnySearch
    rule: AnswerRule


def chosen(settings: SharedSettings) -> Choice:
    """The search by its name and parameters; the rule that was named, else the search's own. Raises `InputError`."""
    search = build_search(settings.search, settings.set_)
    return Choice(search, answer_rule(settings.answer_rule or answer_rule_of(search), settings.aggregate))
