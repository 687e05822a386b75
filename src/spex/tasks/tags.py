"""Where a text thinks and where it speaks, by the tags that its model puts around its thoughts.

The text thinks from its beginning: the opening tag stands in many a prompt already. The first closing tag ends that,
however often it was opened before, as the servers' own readers have it; from then on a text between an opening and a
closing tag is thought again, and a closing tag that closes nothing is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from spex.errors import InputError
from spex.tree import Step


class Halves(NamedTuple):
    """The steps of a path before its first closing tag, and behind it."""

    thought: tuple[Step, ...]
    spoken: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one model. Raises `InputError` where they are blank, or one holds the other."""

    opening: str = "<think>"
    closing: str = "</think>"

    def __post_init__(self) -> None:
        for name, tag, other in (("open_tag", self.opening, self.closing), ("close_tag", self.closing, self.opening)):
            if not tag.strip() or tag in other:
                raise InputError(name, tag, "it must be a text that is not blank, and not a part of the other tag")

    def closed(self, text: str) -> bool:
        """Whether the thinking has ended."""
        return self.closing in text

    def spoken(self, text: str) -> str | None:
        """What of the text is no thought, its parts on lines of their own; None where the thinking has not ended."""
        return "\n".join(self._spoken_parts(text)) if self.closed(text) else None

    def halves(self, path: Sequence[Step]) -> Halves:
        """The path parted by its first closing tag, which is in neither half.

        Which of its tokens wrote which part of a step is not told: they are parted as its bytes are.
        """
        begins = "".join(step.text for step in path).find(self.closing)
        if begins < 0:
            return Halves(tuple(path), ())
        ends = begins + len(self.closing)
        thought, spoken, at = [], [], 0
        for step in path:
            length = len(step.text)
            thought.append(_part(step, 0, min(length, max(0, begins - at))))
            spoken.append(_part(step, min(length, max(0, ends - at)), length))
            at += length
        return Halves(_written(thought), _written(spoken))

    def _spoken_parts(self, text: str) -> Iterator[str]:
        thinks, begun = True, 0
        for tag in re.finditer(f"{re.escape(self.opening)}|{re.escape(self.closing)}", text):
            if not thinks:
                yield text[begun : tag.start()]
            thinks, begun = tag[0] == self.opening, tag.end()
        if not thinks:
            yield text[begun:]


def _part(step: Step, start: int, end: int) -> Step:
    """The step's characters from `start` to `end`, with their share of its tokens."""
    text = step.text
    if (start, end) == (0, len(text)):
        return step
    first, last = (_share(step, place) for place in (start, end))
    logprobs = None if step.logprobs is None else step.logprobs[first:last]
    return replace(step, text=text[start:end], token_ids=step.token_ids[first:last], logprobs=logprobs)


def _share(step: Step, characters: int) -> int:
    """How many of its tokens the first `characters` of the step stand for; where a token is a byte, exactly."""
    before, whole = (len(text.encode("utf-8", "surrogatepass")) for text in (step.text[:characters], step.text))
    return round(step.token_count * before / whole) if whole else 0


def _written(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(step for step in steps if step.text)
