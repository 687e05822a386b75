"""Rewards as a user names them: NAME, NAME:FORM, NAME@ENGINE, NAME:FORM@ENGINE.

    confidence                                        needs nothing more
    judge                                             the policy's engine is the judge
    judge@sglang:http://127.0.0.1:30001               another engine is
    prm:math-shepherd-7b@sglang:http://127.0.0.1:30001
    prm:game24                                        the model that comes with it judges, embedded
    prm:my-form.toml@vllm:http://127.0.0.1:8001
    likelihood@vllm:http://127.0.0.1:8001             under the model there; with :contrast, against the policy's own

    mean(3 prm:math-shepherd-7b@sglang:http://127.0.0.1:30001, 1 arithmetic)      several as one (`spex.reward.joined`)

What stands behind the first @ is an engine's name as `--policy` takes it; no name of a reward or form holds an @.
"""

from __future__ import annotations

from inspect import signature
from typing import Any, NamedTuple

from spex.engine.base import Engine
from spex.engine.catalog import addresses, find_engine
from spex.engine.profiled import profiled
from spex.engine.retrying import retrying
from spex.engine.waits import Waits
from spex.errors import InputError
from spex.reward.base import Reward
from spex.reward.catalog import REWARDS
from spex.reward.combined import Combined
from spex.reward.joined import joined
from spex.reward.known_answer import USUAL
from spex.reward.likelihood import FORMS, Likelihood, Messages
from spex.reward.prm import Prm
from spex.reward.prm_catalog import embedded_engine, find_form
from spex.reward.prm_form import HeadForm
from spex.reward.score_head import ScoreHead
from spex.reward.spread import SpreadReward


class Named(NamedTuple):
    """A spelled reward in its parts; what is not there is empty."""

    name: str
    form: str
    place: str


class Served(NamedTuple):
    """What a reward may be served by: the engine at `place`, or where none is named the policy's."""

    place: str
    policy: Engine
    policy_place: str | None
    known: dict[str, Engine]
    waits: Waits = Waits()

    def engine(self) -> Engine:
        """Not yet open. One that is named several times is shared, so that all are held to one number of slots."""
        if not self.place or self.place == self.policy_place:
            return self.policy
        try:
            if self.place not in self.known:
                engine = profiled(find_engine(self.place, self.waits.unusual))
                self.known[self.place] = retrying(engine, self.waits.patience_seconds)
            return self.known[self.place]
        except InputError as error:
            raise InputError("reward", error.value, error.allowed) from error


def named(spec: str) -> Named:
    """The parts of `spec`."""
    head, _, place = spec.partition("@")
    name, _, form = head.partition(":")
    return Named(name, form, place)


def find_reward(
    spec: str,
    policy: Engine,
    policy_place: str | None = None,
    messages: Messages | None = None,
    waits: Waits | None = None,
) -> Reward:
    """The reward that `spec` names, not yet open. `policy_place`: how the policy's engine was named, if it was.

    waits: how long its own servers are waited for, if not as usual; what is asked of the policy's engine waits as that.
    A reward's factory is given what its parameters ask for: `engine`, `form`, or `served`, to choose by itself; and the
    task's `messages`, where they are given. Raises `InputError`.
    """
    return _found(spec, Served("", policy, policy_place, {}, waits or Waits()), messages)


def _found(spec: str, served: Served, messages: Messages | None) -> Reward:
    """`served`: with the place of none yet."""
    several = joined(spec)
    if several is not None:
        rewards = [_found(part, served, messages) for part in several.parts]
        try:
            combined = Combined(rewards, several.how, several.weights)
        except InputError as error:
            raise InputError("reward", spec, f"{error.field}: {error.allowed}") from error
        if several.weights and not all(several.weights):
            raise InputError("reward", spec, "what has a weight of 0 would be asked for nothing: leave it out")
        return combined
    parts = named(spec)
    factory = REWARDS.load(parts.name)
    wanted = signature(factory).parameters
    served = served._replace(place=parts.place)
    given: dict[str, Any] = {}
    if "form" in wanted:
        given["form"] = parts.form
    elif parts.form:
        raise InputError("reward", spec, f"{parts.name} takes no form: {parts.name}@ENGINE names what serves it")
    if "served" in wanted:
        given["served"] = served
    elif "engine" in wanted:
        given["engine"] = served.engine()
    elif parts.place:
        raise InputError("reward", spec, f"{parts.name} needs no engine")
    if "messages" in wanted and messages is not None:
        given["messages"] = messages
    return factory(**given)


def prm(form: str, served: Served) -> Reward:
    """A PRM by the name of its model or form, or the file of its form. Raises `InputError`."""
    if not form:
        told = "name the model or the form, and what serves it: prm:NAME@ENGINE, with a NAME that `spex prm` lists"
        raise InputError("reward", "prm", told)
    found = find_form(form)
    if isinstance(found, HeadForm):
        if not served.place:
            told = f"name what serves it: its score head is served by vllm or sglang, as prm:{form}@vllm:http://127.0.0.1:8001"
            raise InputError("reward", f"prm:{form}", told)
        heads = [_score_head(found, place, form, served.waits) for place in addresses(served.place)]
        name = f"prm:{found.name}@{served.place}"
        return heads[0] if len(heads) == 1 else SpreadReward(name, heads, found.known or USUAL)
    return Prm(served._replace(place=served.place or embedded_engine(form)).engine(), found)


def likelihood(form: str, served: Served, messages: Messages | None = None) -> Reward:
    """The likelihood under the model of another engine, which must be named. Raises `InputError`."""
    if not served.place:
        raise InputError("reward", "likelihood", "it must name the engine of a larger model: likelihood@ENGINE")
    if form and form not in FORMS:
        told = f"behind likelihood: stands one of {', '.join(FORMS)}"
        raise InputError("reward", f"likelihood:{form}", told)
    engine, form = served.engine(), form or FORMS[0]
    chats = {} if messages is None else {"messages": messages}
    return Likelihood(engine, form, **chats, patience_seconds=served.waits.patience_seconds)


def _score_head(form: HeadForm, place: str, form_name: str, waits: Waits) -> ScoreHead:
    try:
        return ScoreHead(place, form, deadlines=waits.deadlines, patience_seconds=waits.patience_seconds)
    except InputError as error:
        if error.field != "url":
            raise
        spec = None if error.value is None else f"prm:{form_name}@{place}"  # what may be a password is not repeated
        raise InputError("reward", spec, error.allowed) from error
