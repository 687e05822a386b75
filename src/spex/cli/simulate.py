"""`spex simulate`: the controller in virtual time over simulated engines, plain, speculative and clairvoyant."""

from __future__ import annotations

import os
from pathlib import Path

from spex.cli import options as flag
from spex.cli.failures import interruptible
from spex.cli.settings import SimulateSettings, load, unknown_variables
from spex.cli.streams import say


def simulate(
    search: flag.Search = None,
    set: flag.Set = None,  # noqa: A002  # the flag's name
    workload: flag.Workload = None,
    curve: flag.Curve = None,
    draft: flag.DraftFigures = None,
    rule: flag.Rule = None,
    market: flag.Market = None,
    queries: flag.Queries = None,
    concurrency: flag.Concurrency = None,
    arrivals: flag.Arrivals = None,
    answer_rule: flag.AnswerRule = None,
    aggregate: flag.Aggregate = None,
    stop: flag.Stop = None,
    merge: flag.Merge = None,
    seed: flag.Seed = None,
    trace: flag.Trace = None,
    plot: flag.Plot = None,
    config: flag.Config = None,
    json: flag.Json = None,
) -> int:
    """Compare a plain, a speculative and a clairvoyant run on a synthetic workload, in virtual time.

    spex simulate --search rebase --set width=64 --concurrency 16

    The clairvoyant run knows what will be demanded; the floor is what no schedule beats; share is the part of the
    clairvoyant gain that speculation got. Intervals are of 95 %. With --stop all of them end early by that rule;
    with --draft the engine of all of them speculates on tokens.

    --trace FILE writes FILE.plain.jsonl and FILE.speculative.jsonl. --plot needs spex-search[plot].
    """
    flags = {key: value for key, value in locals().items() if value not in (None, []) and key != "config"}
    for warning in unknown_variables(os.environ):
        say(warning)
    settings = load(SimulateSettings, flags, None if config is None else Path(config))
    from spex.cli.comparing import compare  # noqa: PLC0415  # the simulator: when the input is right

    with interruptible():
        return compare(settings)
