"""`benchmarks.live` on real SGLang and vLLM, which it starts and ends: a server for the policy, one for the reward.

    python -m benchmarks.live_engines --folder .engines [sglang vllm] [-- --search rebase --concurrency 1]

The servers are as fast as they can be (not deterministic, prefixes cached, float32: most CPUs have no fast bfloat16),
each on a core of its own, and their caches are emptied before each run (vLLM is in its developers' mode for it); the
same small model judges by the probability of "yes". What follows `--` goes to `benchmarks.live`. Rows go to
tables/live-sglang.json and tables/live-vllm.json.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from benchmarks import live
from benchmarks.live_caches import NotEmptied
from engines.run import nothing_left, pair, say
from engines.server import ServerFailed
from engines.serving import Kind

_TABLES = Path(__file__).resolve().parents[1] / "tables"
_UP_SECONDS = 300.0
_FLAGS = ("--dtype", "float32", "--developer")
_EMPTIED: Mapping[Kind, str] = {"sglang": "/flush_cache", "vllm": "/reset_prefix_cache"}


def measured(kind: Kind, folder: Path, more: Sequence[str]) -> None:
    """The rows of one engine."""
    with contextlib.ExitStack() as servers:
        policy, reward = pair(kind, folder, _FLAGS)
        for server in (policy, reward):
            servers.enter_context(server)
        for server in (policy, reward):
            server.wait(_UP_SECONDS)
        say(f"{kind}: {policy.url} and {reward.url}")
        engines = ["--policy", f"{kind}:{policy.url}", "--reward", f"judge@{kind}:{reward.url}"]
        caches = ["--emptied", *(server.url + _EMPTIED[kind] for server in (policy, reward))]
        live.main([*engines, *caches, "--out", str(_TABLES / f"live-{kind}.json"), *more])


def main(arguments: Sequence[str]) -> int:
    """Measure on each engine that is named; 3 where a server failed, or did not empty its cache."""
    own, more = arguments, []
    if "--" in arguments:
        at = list(arguments).index("--")
        own, more = arguments[:at], list(arguments[at + 1 :])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live_engines", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("kinds", nargs="*", metavar="sglang|vllm", help="both, if none is named")
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="what engines/setup has built")
    asked = parser.parse_args(own)
    if unknown := set(asked.kinds) - set(get_args(Kind)):
        parser.error(f"no engine is called {', '.join(sorted(unknown))}")
    with nothing_left():
        try:
            for kind in asked.kinds or get_args(Kind):
                measured(kind, asked.folder, more)
        except (ServerFailed, NotEmptied) as error:
            say(str(error))
            return 3
        except KeyboardInterrupt:
            say("interrupted")
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
