"""Which paths say the same in their last step: the model `clusters` of ETS.

Average-linkage clustering of the last steps' embeddings: two clusters are one as long as the mean cosine distance
between their members is at most 0.05. A path's score is its cluster's number, in the order in which the clusters
appear, divided by the number of paths: within a request, equal scores are one cluster.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from importlib.util import find_spec

import numpy as np

from spex.engine.base import Path, Progress, Scoring, Server
from spex.errors import InputError, Misbehaving
from spex.reward.embedding import Embedding, WordEmbedding
from spex.reward.local import LocalServer


class Clusters:
    """Clusters of `embedding`'s vectors, at most `distance` apart (cosine, 0 to 2).

    `slots` (≥ 1): most requests at once. Needs the package scipy. Raises `InputError`.
    """

    def __init__(self, embedding: Embedding | None = None, *, distance: float = 0.05, slots: int = 256) -> None:
        if not 0.0 <= distance <= 2.0:
            raise InputError("distance", distance, "it must be a number from 0 to 2")
        if find_spec("scipy") is None:
            raise InputError("reward", "clusters", "it needs the package scipy: pip install 'spex-search[ets]'")
        self._embedding = embedding or WordEmbedding()
        self._distance = distance
        self._name = f"clusters:{self._embedding.name}:{distance:g}"
        self._server = LocalServer(self._name, slots=slots)

    @property
    def name(self) -> str:
        return self._name

    @property
    def server(self) -> Server:
        return self._server

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:  # noqa: ARG002
        with self._server.busy():
            texts = [_last_step(path) for path in request.paths]
            if len(texts) < 2:
                return numbered(texts)
            vectors = self._checked(await self._embedding.embed(texts), len(texts))
            return numbered(clusters_of(vectors, self._distance))

    def _checked(self, vectors: object, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """The vectors, each of length 1. Raises `Misbehaving`."""
        expected = f"{count} vectors of one length, each with a direction"
        try:
            table = np.array(vectors, dtype=float)
        except (TypeError, ValueError):
            raise Misbehaving(self._name, expected, vectors) from None
        lengths = np.linalg.norm(table, axis=-1, keepdims=True) if table.ndim == 2 and len(table) == count else None
        if lengths is None or not (np.isfinite(lengths) & (lengths > 0.0)).all():
            raise Misbehaving(self._name, expected, vectors)
        unit: np.ndarray[tuple[int, int], np.dtype[np.float64]] = table / lengths
        return unit


def clusters_of(vectors: np.ndarray[tuple[int, int], np.dtype[np.float64]], distance: float) -> Sequence[int]:
    """The cluster of each of `vectors`, two or more, which are of length 1."""
    from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415  # slow to import, and an extra

    apart = np.maximum(0.0, 1.0 - vectors @ vectors.T)
    pairs = apart[np.triu_indices(len(vectors), 1)]
    labels: Sequence[int] = fcluster(linkage(pairs, "average"), distance, "distance").tolist()
    return labels


def numbered(labels: Iterable[Hashable]) -> tuple[float, ...]:
    """The scores that say which labels are equal: numbers in [0, 1), in the order in which the labels appear."""
    numbers: dict[Hashable, int] = {}
    places = [numbers.setdefault(label, len(numbers)) for label in labels]
    return tuple(place / len(places) for place in places)


def _last_step(path: Path) -> str:
    return path.steps[-1].text if path.steps else ""
