"""llama.cpp's stream where characters are several tokens: it tells the last of them alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from spex.engine.base import Capabilities, Completion, Generation, Progress
from spex.engine.llamacpp_requests import LlamaCppRequests
from spex.engine.llamacpp_stream import StreamedAnswer
from spex.errors import Unreachable
from spex.prompt import Prompt

SIDE = [("The", [1]), (" side", [2]), (" is", [3]), (" √", [4, 5]), ("2", [6])]
WORDS = {1: "The", 2: " side", 3: " is", 6: "2", 7: "\n", 8: "√", 9: "½"}


def events(parts: Iterable[tuple[str, Sequence[int]]], stop_type: str = "word") -> Iterable[dict[str, Any]]:
    """A piece for each part, which tells its last token; the stop string comes with the end."""
    written = 0
    for number, (content, token_ids) in enumerate(parts):
        written += len(token_ids)
        yield {
            "stop": False,
            "content": content,
            "tokens": list(token_ids[-1:]),
            "tokens_predicted": written,
            "timings": {"cache_n": 0, "prompt_n": 3},
            "completion_probabilities": [{"logprob": -0.1 * (number + 1)}],
        }
    yield {
        "stop": True,
        "content": "",
        "stop_type": stop_type,
        "stopping_word": "",
        "tokens_predicted": written,
        "timings": {"cache_n": 0, "prompt_n": 3},
    }


class Spelling:
    """In the place of a server's connection: says one stream, and spells tokens by `known`."""

    def __init__(
        self, stream: Iterable[dict[str, Any]], known: Mapping[str, list[int]], texts: Mapping[tuple[int, ...], str]
    ) -> None:
        self.stream = stream
        self.known = known
        self.texts = {tuple(ids): text for text, ids in known.items()} | dict(texts)

    async def events(self, *_asked: object) -> Any:
        for event in self.stream:
            yield event

    async def post(self, path: str, body: Mapping[str, Any], kind: type[Any]) -> Any:
        if path == "/tokenize":
            told: object = {"tokens": self.known.get(body["content"], [77])}
        else:
            ids = tuple(body["tokens"])
            told = {"content": self.texts.get(ids) or "".join(WORDS.get(token, "\ufffd") for token in ids)}
        return msgspec.convert(told, kind)


def generated(
    parts: Iterable[tuple[str, Sequence[int]]],
    known: Mapping[str, list[int]],
    stop_type: str = "word",
    texts: Mapping[tuple[int, ...], str] = MappingProxyType({}),
    *,
    unfinished: bool = False,
) -> Completion:
    """The text of a stream; unfinished: it ends within a character, of which one token was written."""
    stream = list(events(parts, stop_type))
    stream[-1]["tokens_predicted"] += unfinished
    server: Any = Spelling(stream, known, texts)
    asked = LlamaCppRequests("llamacpp", Capabilities(context_tokens=512), server, confirm_seconds=0.0)
    request = Generation("t|c", Prompt([(1, 2, 3)]), 1, ("\n\n",), 40)
    return asyncio.run(asked.generate(request, Progress()))


def test_the_tokens_of_a_character_are_those_of_its_text_and_what_is_not_told_has_the_mean_log_probability() -> None:
    found = generated(SIDE, {" √": [4, 5]})
    assert (found.text, found.token_ids, found.end) == ("The side is √2", (1, 2, 3, 4, 5, 6), "delimiter")
    assert found.logprobs == pytest.approx((-0.1, -0.2, -0.3, -0.3, -0.4, -0.5))


@pytest.mark.parametrize(
    ("parts", "stop_type"),
    [
        ([*SIDE, ("", [])], "limit"),  # of the next character the limit leaves a part, of which nothing comes
        ([*SIDE, ("½", [8, 9])], "word"),  # nobody knows the tokens of the next character
    ],
)
def test_the_mean_stands_for_what_is_not_told_however_a_text_ends(
    parts: Sequence[tuple[str, Sequence[int]]], stop_type: str
) -> None:
    found = generated([part for part in parts if part[1]], {" √": [4, 5]}, stop_type, unfinished=not parts[-1][1])
    assert (found.text, found.end) == ("The side is √2", "length")
    assert found.logprobs == pytest.approx((-0.1, -0.2, -0.3, -0.3, -0.4, -0.5))


def test_the_tokens_of_a_character_are_asked_for_once() -> None:
    asked: list[str] = []

    class Counting(Spelling):
        async def post(self, path: str, body: Mapping[str, Any], kind: type[Any]) -> Any:
            asked.append(path)
            return await super().post(path, body, kind)

    server: Any = Counting([], {"√": [4, 5]}, {})
    requests = LlamaCppRequests("llamacpp", Capabilities(context_tokens=512), server, confirm_seconds=0.0)
    for _ in range(3):
        server.stream = events([("√", [4, 5]), ("√", [4, 5])])
        request = Generation("t|c", Prompt([(1, 2, 3)]), 1, ("\n\n",), 40)
        assert asyncio.run(requests.generate(request, Progress())).token_ids == (4, 5, 4, 5)
    assert asked == ["/tokenize", "/detokenize"]


def test_a_tokenizer_that_puts_a_blank_before_a_text_is_understood() -> None:
    parts = [("The", [1]), ("√", [4, 5])]
    found = generated(parts, {"√": [99, 4, 5]}, texts={(4, 5): "√"})
    assert (found.text, found.token_ids, found.end) == ("The√", (1, 4, 5), "delimiter")
    other = generated(parts, {"√": [99, 4, 5]}, texts={(4, 5): "½"})
    assert (other.text, other.token_ids, other.end) == ("The", (1,), "length")


def test_what_was_held_back_for_a_stop_string_is_no_part_of_the_character() -> None:
    found = generated([("The", [1]), ("", [7]), ("\n√", [4, 5])], {"\n√": [7, 4, 5], "√": [4, 5]})
    assert (found.text, found.token_ids) == ("The\n√", (1, 7, 4, 5))


@pytest.mark.parametrize("known", [{}, {" √": [4, 6]}, {" √": [4, 4, 5, 5]}, {" √": [5]}])
def test_a_text_is_cut_before_a_character_whose_tokens_nobody_knows_and_that_is_told_once(
    known: Mapping[str, list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "spex"):
        found = generated([*SIDE, *[("√", [9, 8])]], known)
    assert (found.text, found.token_ids, found.end) == ("The side is", (1, 2, 3), "length")
    assert found.logprobs == pytest.approx((-0.1, -0.2, -0.3))
    assert caplog.text.count("texts end before a character") == 1


def test_what_a_limit_leaves_held_back_is_a_part_of_the_text() -> None:
    found = generated([("The", [1]), ("", [7])], {}, "limit")
    assert (found.text, found.token_ids, found.end) == ("The\n", (1, 7), "length")


def test_a_piece_that_comes_twice_may_be_asked_for_again() -> None:
    answer = StreamedAnswer("llamacpp", Progress())
    first, *_ = events(SIDE)
    answer.take(first)
    with pytest.raises(Unreachable, match="a piece came twice"):
        answer.take(first)
