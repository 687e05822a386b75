"""What a policy's engine has not got, by what it says of itself and what was measured, and what is lost by it."""

from __future__ import annotations

from spex.engine.base import Capabilities, Server

SEED_LOST = "a speculated run's tree is one of many; it cannot be compared with the plain one's"
MOVED_LOST = "scores made of log-probabilities may differ in their last places, and a tree after that"
LOGPROBS_LOST = "no confidence as a reward, and rewards are foretold less well"
CONTINUING_LOST = "steps are asked for in words, and may repeat, or leave, what stands before them"
COUNTS_LOST = "what those cost is a guess, by the pieces of its streams"
ABORT_LOST = "it cannot be told when one has stopped"


def lacks_of(can: Capabilities) -> list[str]:
    """Each with what is lost; nothing for an engine that has all that a search makes use of."""
    missing = [
        (can.seed == "none", f"no seeds that can be relied on — {SEED_LOST}"),
        (not can.log_probabilities, f"no log-probabilities — {LOGPROBS_LOST}"),
        (not can.continues, f"it does not go on from half an answer — {CONTINUING_LOST}"),
        (not can.counts, f"no counts of the tokens of texts that are cut off — {COUNTS_LOST}"),
        (not can.abort_confirmed, f"aborts are not confirmed — {ABORT_LOST}"),
    ]
    return [told for is_missing, told in missing if is_missing]


def lacks_line(engine: Server) -> str | None:
    """All of it in one line; None where there is nothing to tell."""
    lacks = lacks_of(engine.capabilities)
    return f"{engine.name}: {'; '.join(lacks)}" if lacks else None
