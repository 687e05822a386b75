"""What early termination changes and what it saves: stopping rules, and merging, against the search to its end.

Simulated queries of one search on one workload, plain, in virtual time; with --speculation also speculative, whose
answers must be those of the plain run with the same rule. Printed for each rule: the share of the answers that it
changed, with the upper 95 % limit of that share (Clopper and Pearson 1934, one-sided), accuracy without and with
it, and the ratios of mean latency, makespan and useful tokens of the run to its end over the stopped one.
`merge` is the search with equal states merged; it needs a workload that has states. With --reward-max below 1
no answer is right with more than that probability: problems are harder, and votes closer.

    python -m benchmarks.early_termination [--search rebase] [--set width=16] [--queries 200] [--json]
    python -m benchmarks.early_termination --all --out tables    # the table, in about half an hour; what it has stays
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, lgamma, log
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, TypeAlias

from spex.answer import answer_rule
from spex.control.clock import run_virtual
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, Speculation
from spex.errors import InputError
from spex.policy import Policy
from spex.problem import Problem
from spex.search.catalog import answer_rule_of, build_search
from spex.search.merging import Merging
from spex.sim.task import SimulatedTask
from spex.sim.workload import find_workload
from spex.sim.world import World
from spex.speculate.stopping import stopping_rule

SCHEMA_VERSION = 2
RULES = ("exact", "confident:0.05", "paper:0.5", "adaptive-consistency:0.95")
MERGE = "merge"
_DOUBT = 0.05
_ALL = (
    "--search self-consistency --queries 1000",
    "--search best-of-n --queries 500",
    "--search rebase --queries 200",
    "--search mcts --queries 100",
    "--search rebase --queries 400 --reward-max 0.4",
    "--search mcts --queries 400 --reward-max 0.4",
    "--search rebase --queries 48 --speculation --rule exact --rule confident:0.05",
    "--search mcts --queries 48 --speculation --rule exact --rule confident:0.05",
    "--search rebase --queries 48 --speculation --workload states --rule merge",
    "--search mcts --queries 48 --speculation --workload states --rule merge",
    "--search beam --queries 64 --workload states --rule merge",
)


class Effect(NamedTuple):
    """One rule on one search. Ratios are off / stopped, more than 1 where stopping wins; None: not measured."""

    rule: str
    queries: int
    stopped: int
    changed: int
    changed_share: float
    changed_share_upper: float
    accuracy_off: float
    accuracy: float
    latency_ratio: float
    makespan_ratio: float
    tokens_ratio: float
    latency_ratio_speculative: float | None
    same_speculative: bool | None


@dataclass(frozen=True)
class Bench:
    """The queries, on fresh engines for every run."""

    search: str
    settings: dict[str, str]
    workload: str
    queries: int
    concurrency: int
    speculation: bool
    reward_max: float | None = None

    def run(self, rule: str, speculation: Speculation | None) -> Run:
        inside = build_search(self.search, self.settings)
        search = Merging(inside) if rule == MERGE else inside
        load = find_workload(self.workload)
        if self.reward_max is not None:
            load = replace(load, reward_range=(load.reward_range[0], self.reward_max))
        world = World(load)
        setup = Setup(
            search=search,
            policy=Policy(load.policy(world.write), SimulatedTask()),
            rewards={"reward": load.reward(world.judge)},
            answer_rule=answer_rule(answer_rule_of(search)),
            speculation=speculation,
            stopping=None if rule == MERGE else stopping_rule(rule),
        )
        problems = [Problem(f"simulated problem {number}", f"q{number}") for number in range(self.queries)]
        return run_virtual(run(problems, setup, Conduct(concurrency=self.concurrency)))

    def effect(self, rule: str, off: Run, off_speculative: Run | None) -> Effect:
        stopped = self.run(rule, None)
        pairs = list(zip(off.solutions, stopped.solutions, strict=True))
        changed = sum(one.answer != other.answer for one, other in pairs)
        effect = Effect(
            rule=rule,
            queries=self.queries,
            stopped=sum(other.stopped_early is not None for _, other in pairs),
            changed=changed,
            changed_share=changed / self.queries,
            changed_share_upper=upper_limit(changed, self.queries),
            accuracy_off=fmean(one.correct is True for one, _ in pairs),
            accuracy=fmean(other.correct is True for _, other in pairs),
            latency_ratio=latency(off) / latency(stopped),
            makespan_ratio=off.seconds / stopped.seconds,
            tokens_ratio=off.usage.useful.generated / max(1, stopped.usage.useful.generated),
            latency_ratio_speculative=None,
            same_speculative=None,
        )
        if off_speculative is None:
            return effect
        speculative = self.run(rule, Speculation())
        same = all(
            (one.answer, one.terminals, one.tree) == (other.answer, other.terminals, other.tree)
            for one, other in zip(stopped.solutions, speculative.solutions, strict=True)
        )
        ratio = latency(off) / latency(speculative)
        return effect._replace(latency_ratio_speculative=ratio, same_speculative=same)


def latency(done: Run) -> float:
    """Mean latency in seconds."""
    return fmean(solution.timings.latency_seconds for solution in done.solutions)


def upper_limit(count: int, trials: int, doubt: float = _DOUBT) -> float:
    """The share at which `count` successes or fewer in `trials` have the probability `doubt`."""
    if count == trials:
        return 1.0
    low, high = count / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if binomial_tail(count, trials, middle) > doubt:
            low = middle
        else:
            high = middle
    return high


def binomial_tail(count: int, trials: int, share: float) -> float:
    """P(at most `count` successes in `trials`), for a share strictly between 0 and 1."""

    def term(successes: int) -> float:
        ways = lgamma(trials + 1) - lgamma(successes + 1) - lgamma(trials - successes + 1)
        return exp(ways + successes * log(share) + (trials - successes) * log(1.0 - share))

    return sum(map(term, range(count + 1)))


def line(effect: Effect) -> str:
    """One rule for people."""
    text = (
        f"{effect.rule:<26} stopped {effect.stopped:>5}   changed {effect.changed:>3} "
        f"({effect.changed_share:.1%}, below {effect.changed_share_upper:.1%})   "
        f"accuracy {effect.accuracy_off:.1%} -> {effect.accuracy:.1%}   latency {effect.latency_ratio:.2f}x   "
        f"makespan {effect.makespan_ratio:.2f}x   tokens {effect.tokens_ratio:.2f}x"
    )
    if effect.latency_ratio_speculative is not None:
        same = "the same trees" if effect.same_speculative else "OTHER TREES"
        text += f"   with speculation {effect.latency_ratio_speculative:.2f}x, {same}"
    return text


Part: TypeAlias = dict[str, Any]


def part(given: argparse.Namespace, command: str) -> Part:
    """All the rules on one search: what was asked for, what speculation alone wins, and each rule's effect."""
    settings = dict(given.set)
    bench = Bench(
        given.search,
        settings,
        given.workload,
        given.queries,
        given.concurrency,
        given.speculation,
        given.reward_max,
    )
    off, off_speculative = bench.run("off", None), bench.run("off", Speculation()) if bench.speculation else None
    return {
        "command": command,
        "search": " ".join([given.search, *map("=".join, given.set)]),
        "workload": given.workload,
        "reward_max": given.reward_max,
        "queries": given.queries,
        "concurrency": given.concurrency,
        "speculation_alone": off_speculative and latency(off) / latency(off_speculative),
        "effects": [bench.effect(rule, off, off_speculative)._asdict() for rule in given.rule or RULES],
    }


def told(part: Part) -> list[str]:
    """For people."""
    harder = "" if part["reward_max"] is None else f" of rewards to {part['reward_max']:g}"
    load = f"{part['workload']}{harder}, {part['queries']} queries, {part['concurrency']} at once"
    alone = part["speculation_alone"]
    return [
        f"{part['search']}, {load}",
        *([] if alone is None else [f"speculation alone: latency {alone:.2f}x"]),
        *(line(Effect(**effect)) for effect in part["effects"]),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    said = sys.argv[1:] if arguments is None else arguments
    given = _parser().parse_args(said)
    kept = read(given.out) if given.all and given.out is not None and not given.again else {}
    parts: list[Part] = []
    for text in _ALL if given.all else [shlex.join(said)]:
        command = f"python -m benchmarks.early_termination {text}"
        try:
            done = kept.get(command) or part(_parser().parse_args(shlex.split(text)), command)
        except InputError as error:
            _parser().error(str(error))
        parts.append(done)
        if not given.json:
            print("\n".join(told(parts[-1])), flush=True)
        if given.out is not None:
            write(given.out, parts)
    if given.json:
        print(json.dumps({"early_termination": SCHEMA_VERSION, "parts": parts}))
    return 0


def read(folder: Path) -> dict[str, Part]:
    """The parts that are in `folder` already, by their commands."""
    path = folder / "early-termination.json"
    whole = json.loads(path.read_text()) if path.exists() else {}
    is_current = whole.get("early_termination") == SCHEMA_VERSION
    return {each["command"]: each for each in whole["parts"]} if is_current else {}


def write(folder: Path, parts: Sequence[Part]) -> None:
    """early-termination.json and early-termination.md."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"early_termination": SCHEMA_VERSION, "parts": parts}
    (folder / "early-termination.json").write_text(json.dumps(whole, indent=1) + "\n")
    text = "\n".join("\n".join([f"`{each['command']}`", "", "```", *told(each), "```", ""]) for each in parts)
    (folder / "early-termination.md").write_text(text)


def _count(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; it must be a whole number of at least 1")
    return count


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; it must read KEY=VALUE")
    return key, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.early_termination", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--search", default="rebase")
    parser.add_argument("--set", action="append", default=[], type=_setting, metavar="KEY=VALUE")
    parser.add_argument("--workload", default="reference")
    parser.add_argument("--reward-max", type=float)
    parser.add_argument("--rule", action="append", metavar="RULE", help="repeatable, or merge; default: all but merge")
    parser.add_argument("--queries", type=_count, default=200)
    parser.add_argument("--concurrency", type=_count, default=4)
    parser.add_argument("--speculation", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--all", action="store_true", help="the searches and rules of the table, whatever else is said")
    parser.add_argument("--again", action="store_true", help="with --all: run what the folder has, too")
    parser.add_argument("--out", type=Path, help="a folder for early-termination.json and early-termination.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
