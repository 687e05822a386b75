"""Prints a digest of every event of some speculative runs: `python -m tests.guarantees.printed_digests SEED...`."""

from __future__ import annotations

import json
import sys
from hashlib import blake2b

from spex.record import MemoryLog
from tests.swarm.judge import in_vain, plain_trial
from tests.swarm.scenario import draw
from tests.swarm.trial import carry_out


def digest_of(seed: int) -> str:
    """A digest of the trace of the swarm's scenario of that seed, times included, and of its call log."""
    scenario, log = draw(seed), MemoryLog()
    trial = carry_out(scenario, speculate=True, log=log, doomed=in_vain(scenario, plain_trial(scenario)))
    told = json.dumps([*trial.events, list(log.entries)])
    return blake2b(told.encode(), digest_size=16).hexdigest()


if __name__ == "__main__":
    print(*map(digest_of, map(int, sys.argv[1:])), sep="\n")  # noqa: T201  # what it is for
