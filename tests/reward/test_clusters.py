"""Equal scores of the clusters say which paths mean the same in their last step."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from spex.engine.base import Counters, Path, Progress, Scoring
from spex.errors import InputError, Misbehaving
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.clusters import Clusters, clusters_of, numbered
from spex.reward.embedding import WordEmbedding
from spex.tree import Step
from spex.usage import Tokens


def request(*texts: str) -> Scoring:
    paths = tuple(Path(Prompt(), (Step("The same beginning. "), Step(text))) for text in texts)
    return Scoring("p|clusters", Problem("2 + 2", id="p"), paths, "clusters", 0)


def scores(clusters: Clusters, *texts: str) -> tuple[float, ...]:
    return asyncio.run(clusters.score(request(*texts), Progress()))


class Angles:
    """Texts are angles in degrees."""

    name = "angles"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(np.cos(np.radians(float(text)))), float(np.sin(np.radians(float(text))))] for text in texts]


def test_the_same_words_are_one_cluster_and_others_another() -> None:
    said = ["So 6 * 4 = 24.", "Add 3 and 5 first.", "so 6*4 = 24", "Add 3 and 5, first!"]
    assert scores(Clusters(), *said) == (0.0, 0.25, 0.0, 0.25)


def test_clusters_are_numbered_in_the_order_in_which_they_appear() -> None:
    assert scores(Clusters(Angles()), "90", "0", "91", "180", "1") == (0.0, 0.2, 0.0, 0.4, 0.2)
    assert numbered("baab") == (0.0, 0.25, 0.25, 0.0)


def test_clusters_are_joined_by_the_mean_distance_of_their_members() -> None:
    # 10° are 0.015 apart, 15° are 0.034 and 25° are 0.094: from 0 to the other two it is 0.064 in the mean.
    assert scores(Clusters(Angles(), distance=0.06), "0", "15", "25") == (0.0, 1 / 3, 1 / 3)
    assert scores(Clusters(Angles(), distance=0.07), "0", "15", "25") == (0.0, 0.0, 0.0)


def test_only_the_last_step_is_compared_and_a_root_says_nothing() -> None:
    paths = [Path(Prompt(), (Step(first), Step("Then stop."))) for first in ("One way.", "Quite another way.")]
    root = Path(Prompt(), ())
    asked = Scoring("p|clusters", Problem("2 + 2"), (*paths, root, root), "clusters", 0)
    assert asyncio.run(Clusters().score(asked, Progress())) == (0.0, 0.0, 0.25, 0.25)


def test_one_path_and_none_are_scored_too() -> None:
    assert scores(Clusters(), "alone") == (0.0,)
    assert scores(Clusters()) == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=8))
def test_any_texts_get_scores_and_equal_texts_equal_ones(texts: list[str]) -> None:
    found = scores(Clusters(), *texts, *texts)
    assert all(0.0 <= score < 1.0 for score in found)
    assert found[: len(texts)] == found[len(texts) :]
    assert found == scores(Clusters(), *texts, *texts)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 359), min_size=2, max_size=7, unique=True))
@example([200, 236, 150])
def test_clusters_are_those_of_joining_the_nearest_two_again_and_again(degrees: list[int]) -> None:
    angles = np.radians(degrees)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    groups = [[place] for place in range(len(degrees))]
    apart = np.maximum(0.0, 1.0 - vectors @ vectors.T)
    while len(groups) > 1:
        pairs = [(apart[np.ix_(one, other)].mean(), one, other) for one in groups for other in groups if one < other]
        distance, one, other = min(pairs)
        if distance > 0.3:
            break
        assume(sum(round(pair[0] - distance, 9) == 0.0 for pair in pairs) == 1)  # of a tie either may come first
        groups = [group for group in groups if group not in (one, other)] + [one + other]
    found = clusters_of(vectors, 0.3)
    assert {frozenset(group) for group in groups} == {
        frozenset(place for place in range(len(degrees)) if found[place] == label) for label in set(found)
    }


def test_vectors_are_the_same_in_every_process() -> None:
    code = (
        "import asyncio; from spex.reward.embedding import WordEmbedding;"
        "print(asyncio.run(WordEmbedding(16).embed(['six times four'])))"
    )
    here = asyncio.run(WordEmbedding(16).embed(["six times four"]))
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        assert done.stdout.strip() == str(here)


class Broken:
    """Gives what it was made with."""

    name = "broken"

    def __init__(self, vectors: object) -> None:
        self.vectors = vectors

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return self.vectors  # type: ignore[return-value]  # that is the fault


@pytest.mark.parametrize(
    "vectors",
    [None, "ab", [[1.0, 0.0]], [[1.0], [1.0, 2.0]], [[0.0, 0.0], [1.0, 0.0]], [[float("nan")], [1.0]], [1.0, 2.0]],
)
def test_an_embedding_that_gives_no_vectors_is_told(vectors: object) -> None:
    with pytest.raises(Misbehaving, match=r"clusters:broken:0\.05: expected 2 vectors of one length"):
        scores(Clusters(Broken(vectors)), "a", "b")


def test_nothing_runs_and_nothing_is_paid_afterwards() -> None:
    clusters, progress = Clusters(), Progress()
    asyncio.run(clusters.score(request("a", "b"), progress))
    assert clusters.server.counters() == Counters(0, Tokens())
    assert progress.cost == Tokens()


@pytest.mark.parametrize("distance", [-0.1, 2.1, float("nan")])
def test_a_distance_that_cannot_be_is_refused(distance: float) -> None:
    with pytest.raises(InputError, match="distance"):
        Clusters(distance=distance)


def test_dimensions_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="dimensions: 15 is not valid"):
        WordEmbedding(15)


def test_a_missing_package_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.reward.clusters.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"it needs the package scipy: pip install 'spex-search\[ets\]'"):
        Clusters()
