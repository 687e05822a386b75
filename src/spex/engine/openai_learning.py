"""What a server of OpenAI's kind can do, learned by asking it for texts of a few tokens."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from spex.engine.base import Generation, Message, Progress, Sampling
from spex.engine.http import Http
from spex.engine.openai_chat import WAYS, Chats
from spex.engine.openai_form import OPTIONS, Asking, Completions
from spex.engine.openai_stream import OpenAIAnswer
from spex.engine.retrying import full, repeated
from spex.errors import InputError, Misbehaving, Unreachable
from spex.prompt import Prompt

# Nobody who begins a turn of his own says the rest of a word that has nothing to do with what he was asked.
_TRIED = (Message("user", "Say the alphabet, in capital letters."),)
_BEGUN = "The weather today is very nic"
_TOKENS = 2
_REST_TOKENS = 4
_NEWER_LIMIT = "max_completion_tokens"
_ATTEMPTS = 3
_JITTER_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Learned:
    """How a server is asked, and whether it tells log-probabilities, and the tokens of a text that is cut off."""

    asking: Asking
    tells_logprobs: bool
    counts: bool

    @property
    def continues(self) -> bool:
        return self.asking.form.continues


async def learned(http: Http, name: str, model: str, *, chats: bool) -> Learned:
    """How the engine `name` is asked for texts of `model`: by completions, or else, or where it is wanted, by chats.

    By chats also where those go on from half an answer and completions do not, as with Ollama, which makes a chat of
    their prompts. Raises `InputError` where it has neither, and `EngineError`.
    """
    by_chats = Asking(http, model, Chats(name))
    if chats:
        return await _of_chats(by_chats)
    refused: InputError | Misbehaving
    try:
        found = await _of_completions(Asking(http, model, Completions(name)))
    except (InputError, Misbehaving) as error:
        if not _may_be_another_form(error):
            raise
        refused = error
    else:
        return found if found.continues else await _rather_chats(found, by_chats)
    try:
        return await _of_chats(by_chats)
    except (InputError, Misbehaving) as error:
        if not _may_be_another_form(error):
            raise
        if isinstance(refused, Misbehaving):
            raise refused from error
        if isinstance(error, Misbehaving):
            raise
        told = f"it has neither {Completions(name).path} nor {by_chats.form.path} for {model!r}"
        raise InputError("policy", name, told) from error


def _may_be_another_form(error: InputError | Misbehaving) -> bool:
    return isinstance(error, Misbehaving) or error.field == "policy"


async def _rather_chats(found: Learned, by_chats: Asking) -> Learned:
    """By chats, where those go on."""
    with suppress(InputError, Misbehaving, Unreachable):
        other = await _of_chats(by_chats)
        return other if other.continues else found
    return found


async def _of_completions(plain: Asking) -> Learned:
    """By completions; that they go on is only doubted where a new turn begins, for a poor model may write anything."""
    found = await _with_options(plain)
    text = await _rest(found.asking)
    if not text.lstrip()[:1].isupper():
        return found
    return replace(found, asking=replace(found.asking, form=Completions(plain.form.name, continues=False)))


async def _of_chats(plain: Asking) -> Learned:
    """By chats: newer models know another name of the limit, and of the ways to go on the first that does."""
    name = plain.form.name
    try:
        found = await _with_options(plain)
    except Misbehaving as error:
        try:
            found = await _with_options(replace(plain, form=Chats(name, limit=_NEWER_LIMIT)))
        except Misbehaving:
            if _NEWER_LIMIT in str(error):
                raise
            raise error from None
    for way in WAYS:
        form = Chats(name, way, found.asking.form.limit)
        asking = replace(found.asking, form=form)
        rest = await _rest(asking)
        if way == "prefix" and rest and (rest.startswith(_BEGUN) or _BEGUN.startswith(rest)):
            form = replace(form, echoes=True)
            asking = replace(found.asking, form=form)
            rest = await _rest(asking)
        if rest[:1].islower():
            spaced = replace(asking, form=replace(form, keeps_space=True))
            return replace(found, asking=spaced if await _keeps_space(spaced) else asking)
    return found


async def _keeps_space(spaced: Asking) -> bool:
    """Whether white space at the end of an unfinished turn is a part of the prompt, by the server's count of it."""
    with suppress(InputError, Misbehaving, Unreachable):
        bare, more = [(await _written(spaced, _BEGUN + space)).prompt_tokens for space in ("", "\n\n")]
        return bare is not None and more is not None and more > bare
    return False


async def _with_options(plain: Asking) -> Learned:
    """With all options that the server takes: all, or else each that it takes by itself."""
    for options in (OPTIONS, OPTIONS - {"sums"}):
        asking = replace(plain, options=options)
        if (answer := await _tried(asking)) is not None:
            return Learned(asking, answer.tells_logprobs, answer.counts_as_it_goes)
    bare = await _written(plain)
    taken = [option for option in sorted(OPTIONS) if await _tried(replace(plain, options=frozenset({option})))]
    asking = replace(plain, options=frozenset(taken))
    if (answer := await _tried(asking)) is None:
        asking, answer = plain, bare
    return Learned(asking, answer.tells_logprobs, answer.counts_as_it_goes)


async def _tried(asking: Asking) -> OpenAIAnswer | None:
    """A text of two tokens; None where it is refused."""
    with suppress(Misbehaving, Unreachable):
        return await _written(asking)
    return None


async def _rest(asking: Asking) -> str:
    """What is written behind half an answer, as likely as can be; nothing where that is refused."""
    temperature = 0.0 if "temperature" in asking.options else 1.0
    with suppress(InputError, Misbehaving, Unreachable):
        return (await _written(asking, _BEGUN, _REST_TOKENS, Sampling(temperature))).text
    return ""


async def _written(
    asking: Asking, begun: str = "", tokens_max: int = _TOKENS, sampling: Sampling = Sampling()
) -> OpenAIAnswer:
    """A text; what fails because the server is full, or away for an instant, is no refusal."""

    async def ask() -> OpenAIAnswer:
        prompt = Prompt([(*asking.form.encoded(_TRIED), *begun.encode())])
        request = Generation("open", prompt, 0, (), tokens_max, sampling)
        answer = OpenAIAnswer(asking.form.name, Progress(), prompt.token_count, (), tokens_max)
        await asking.read(request, answer, lambda _: None)
        answer.completion()
        return answer

    return await repeated(ask, None, _ATTEMPTS, _JITTER_SECONDS, _may_pass)


def _may_pass(error: Exception) -> bool | float:
    return isinstance(error, Unreachable) or full(error)
