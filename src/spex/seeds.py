"""Seeds and draws: pure functions of what they are for, so that time and order cannot matter."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

_SPAN = 1 << 64
_DRAWS_KEPT = 1 << 15


def seed_of(
    run_seed: int,
    problem_id: str,
    kind: str,
    model: str,
    place: str,
    action: str = "",
    index: int = 0,
    sample: int = 0,
    attempt: int = 0,
) -> int:
    """The 64-bit seed of a call: blake2b over everything that names it.

    `place` is the node path of an `Expand` and the content digest of a `Score`,
    so that equal states get equal scores.
    """
    return _hash64(run_seed, problem_id, kind, model, place, action, index, sample, attempt)


def draw(seed: int, strand: int, decision: int, k: int = 0) -> float:
    """A uniform number in [0, 1) for the k-th need of a decision: randomness inside a search."""
    return _drawn(seed, strand, decision, k)


@lru_cache(_DRAWS_KEPT)  # a search may draw thousands of times a decision, and looking ahead decides again and again
def _drawn(*parts: int) -> float:
    return _hashed("\x1f".join(map(str, parts))) / _SPAN


def strand_seed(run_seed: int, problem_id: str, strand: int) -> int:
    """The seed that strand number `strand` of a search starts from."""
    return _hash64(run_seed, problem_id, "strand", strand)


def _hash64(*parts: int | str) -> int:
    text = "\x1f".join(f"{len(part)}:{part}" if isinstance(part, str) else str(part) for part in parts)
    return _hashed(text)


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
