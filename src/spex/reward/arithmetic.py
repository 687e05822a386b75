"""Arithmetic: the share of the written equations that are right. Needs no reference and no model.

(1 + right) / (2 + right + wrong), over the distinct equations of the path's text (as
`spex.reward.equations` reads them): Laplace's rule of succession. No equation gives 0.5; of two
texts without a wrong one, the one that shows more work scores higher; repeating an equation
changes nothing.
"""

from __future__ import annotations

from spex.engine.base import Progress, Scoring, Server
from spex.reward.equations import verdicts
from spex.reward.local import LocalServer


class Arithmetic:
    """How right the arithmetic of a path is, in (0, 1)."""

    def __init__(self, name: str = "arithmetic") -> None:
        self._name = name
        self._server = LocalServer(name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def server(self) -> Server:
        return self._server

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:  # noqa: ARG002
        return tuple(soundness(path.text) for path in request.paths)


def soundness(text: str) -> float:
    """The score of `text`."""
    found = verdicts(text)
    return (1 + sum(found.values())) / (2 + len(found))
