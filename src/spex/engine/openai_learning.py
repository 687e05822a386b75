"""What a server of OpenAI's kind can do, learned by asking it for texts of a few tokens."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from spex.engine.base import Generation, Message, Progress, Sampling
from spex.engine.http import Http
from spex.engine.openai_chat import WAYS, Chats
from spex.engine.openai_form import Asking, Completions
from spex.engine.openai_stream import OpenAIAnswer
from spex.errors import InputError, Misbehaving, Unreachable
from spex.prompt import Prompt

_TRIED = (Message("user", "Count from one to nine, in words."),)
# Cut within a word: a turn of its own begins with a whole one, or in capitals.
_BEGUN = "one, two, thr"
_WHOLE_WORDS = ("one", "two", "three", "four")
_REST_TOKENS = 4
_NEWER_LIMIT = "max_completion_tokens"


@dataclass(frozen=True, slots=True)
class Learned:
    """How a server is asked, and whether it tells log-probabilities, and counts tokens."""

    asking: Asking
    tells_logprobs: bool
    counts: bool


async def learned(http: Http, name: str, model: str, *, chats: bool) -> Learned:
    """How the engine `name` is asked for texts of `model`: by completions, or else, or where it is wanted, by chats.

    Raises `InputError` where it has neither, and `EngineError`.
    """
    completions, by_chats = Completions(name), Chats(name)
    if chats:
        return await _of_chats(Asking(http, model, by_chats))
    try:
        return await _with_options(Asking(http, model, completions))
    except (InputError, Misbehaving) as error:
        if not _may_be_another_form(error):
            raise
        refused = error
    try:
        return await _of_chats(Asking(http, model, by_chats))
    except (InputError, Misbehaving) as error:
        if not _may_be_another_form(error):
            raise
        if isinstance(refused, Misbehaving):
            raise refused from error
        if isinstance(error, Misbehaving):
            raise
        told = f"it has neither {completions.path} nor {by_chats.path} for {model!r}"
        raise InputError("policy", name, told) from error


def _may_be_another_form(error: InputError | Misbehaving) -> bool:
    return isinstance(error, Misbehaving) or error.field == "policy"


async def _of_chats(plain: Asking) -> Learned:
    """By chats: newer models know another name of the limit, and of the ways to go on the first that does."""
    name = plain.form.name
    try:
        found = await _with_options(plain)
    except Misbehaving as error:
        try:
            found = await _with_options(replace(plain, form=Chats(name, limit=_NEWER_LIMIT)))
        except Misbehaving:
            raise error from None
    for way in WAYS:
        asking = replace(found.asking, form=Chats(name, way, found.asking.form.limit))
        if await _goes_on(asking):
            return replace(found, asking=asking)
    return found


async def _with_options(plain: Asking) -> Learned:
    """With all options that the server takes: all, or else each that it takes by itself."""
    asking = replace(plain, options=frozenset(plain.form.options))
    answer = await _tried(asking)
    if answer is None:
        bare = await _written(plain)
        taken = [option for option in sorted(plain.form.options) if await _tried(replace(plain, options={option}))]
        asking = replace(plain, options=frozenset(taken))
        answer = await _tried(asking)
        if answer is None:
            asking, answer = plain, bare
    return Learned(asking, answer.tells_logprobs, answer.is_counted)


async def _tried(asking: Asking) -> OpenAIAnswer | None:
    """A text of one token; None where it is refused."""
    with suppress(Misbehaving, Unreachable):
        return await _written(asking)
    return None


async def _goes_on(asking: Asking) -> bool:
    """Whether an unfinished turn is gone on with in its very place."""
    with suppress(InputError, Misbehaving, Unreachable):
        answer = await _written(asking, _BEGUN, _REST_TOKENS, Sampling(0.0))
        return answer.text[:1].islower() and not answer.text.startswith(_WHOLE_WORDS)
    return False


async def _written(
    asking: Asking, begun: str = "", tokens_max: int = 1, sampling: Sampling = Sampling()
) -> OpenAIAnswer:
    prompt = Prompt([(*asking.form.encoded(_TRIED), *begun.encode())])
    request = Generation("open", prompt, 0, (), tokens_max, sampling)
    answer = OpenAIAnswer(asking.form.name, Progress(), prompt.token_count, (), tokens_max)
    await asking.read(request, answer, lambda _: None)
    answer.completion()
    return answer
