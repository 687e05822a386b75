"""Workloads of the simulator: distributions of steps, rewards and ends, and the engines under them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import log

from spex.engine.base import SeedKind
from spex.engine.kv_pool import Boundless, KvPool
from spex.engine.simulated import Judgement, Script, SimulatedPolicy, SimulatedReward
from spex.errors import InputError
from spex.profile import Affine, Curve, Points


@dataclass(frozen=True, slots=True)
class Readable:
    """Rewards that show in the text: what a predictor can learn, beside noise that it cannot.

    A step's mean log-probability is normal, cut at ±2.5 spreads (nats, below 0 throughout). Each nat
    above its mean adds `per_nat` to the reward, each unit of the length's logarithm above that of
    a usual step `per_log_length`.
    """

    logprob_mean: float = -0.6
    logprob_spread: float = 0.2
    per_nat: float = 0.5
    per_log_length: float = -0.09

    def logprob(self, z: float) -> float:
        """A step's mean log-probability, `z` spreads from the usual."""
        return self.logprob_mean + self.logprob_spread * min(2.5, max(-2.5, z))

    def shift(self, logprob: float, log_length: float) -> float:
        """What the text is worth: `log_length` is the logarithm of its tokens by a usual step's."""
        return self.per_nat * (logprob - self.logprob_mean) + self.per_log_length * log_length


@dataclass(frozen=True, slots=True)
class Workload:
    """A synthetic policy and reward, and the engines that serve them.

    Steps are log-normal in tokens, of mean `step_tokens` and log-spread `spread`. A reward is the
    parent's plus normal noise, clipped; the root's is `root_reward`; where it is `readable`, a
    part of it shows in the text. With a `reward_memory` below 1 that share alone of how the parent's
    departs from the root's comes through: at 0 every reward is drawn afresh, and nothing foretells it.
    With `states` above 0 a step leads to one of so many states of its depth, by its reward: what can follow is as
    good as the same where the state is.
    A path ends with `end_probability` from `depth_min` on, surely at `depth_max`. `seed` names the
    world; the run's seed is another.

    The policy's engine runs `slots` sequences at most at ℓ(b) = `curve` (and says that ℓ is `believed`,
    where that is given), computes a prompt token that is not cached in `prefill_seconds`, caches
    `pool_tokens` tokens (None: all) and aborts after `cancel_delay_seconds`. Its `seeds` say whether a text that was
    stopped goes on from its tokens or, `whole`, is written again. With n scores in its
    `reward_slots`, the reward's server takes `reward_seconds` + `reward_slope_seconds`·n for one.
    """

    name: str
    step_tokens: float = 70.0
    spread: float = 0.6
    root_reward: float = 0.5
    reward_noise: float = 0.15
    reward_range: tuple[float, float] = (0.01, 0.99)
    depth_min: int = 3
    depth_max: int = 25
    end_probability: float = 1 / 7
    curve: Curve = Affine(0.010, 0.00008)
    reward_seconds: float = 0.040
    slots: int = 4096
    seed: int = 0
    readable: Readable | None = None
    reward_memory: float = 1.0
    prefill_seconds: float = 0.0
    pool_tokens: int | None = None
    cancel_delay_seconds: float = 0.0
    reward_slope_seconds: float = 0.0
    reward_slots: int = 4096
    believed: Curve | None = None
    states: int = 0
    seeds: SeedKind = "positional"

    @property
    def log_tokens_mean(self) -> float:
        """The mean of the logarithm of a step's tokens."""
        return log(self.step_tokens) - self.spread**2 / 2

    @property
    def reward_curve(self) -> Curve:
        """Seconds for a score by the number of scores at work."""
        return Affine(self.reward_seconds, self.reward_slope_seconds)

    def policy(self, script: Script) -> SimulatedPolicy:
        """A new engine that writes what `script` says."""
        return SimulatedPolicy(
            script,
            self.curve,
            slots=self.slots,
            prefill_seconds=self.prefill_seconds,
            cancel_delay_seconds=self.cancel_delay_seconds,
            believed=self.believed,
            cache=Boundless() if self.pool_tokens is None else KvPool(self.pool_tokens),
            seed=self.seeds,
        )

    def reward(self, judgement: Judgement, name: str = "reward") -> SimulatedReward:
        """A new reward server that finds what `judgement` says."""
        return SimulatedReward(judgement, self.reward_curve, slots=self.reward_slots, name=name)

    def on(self, curve: Curve) -> Workload:
        """The same work on an engine of another ℓ(b)."""
        return replace(self, curve=curve)


# `served` is a model of 8B parameters and a PRM of 7B, each on a GPU of the A100's size. τ: 16 GFLOP a token
# at half of 312 TFLOP/s. The pool: 26 GB of KV at 128 KiB a token. A score is the prefill of one step, some
# 70 tokens in 5 ms beside what others ask for, and 30 ms of passing through the server.
# `readable`: by logprobs 0.10, by length 0.054, by noise 0.098: together the 0.15 of `reference`, of which a
# linear predictor can explain 57 %. `states`: 20 of a depth, each a twentieth of the range of rewards. `cpu-server`: a
# small model in vLLM on one core, as `spex probe` measured it; on another a judge of the same size, which reads some 40
# new tokens for a score, one score after the other.
WORKLOADS = {
    load.name: load
    for load in (
        Workload("reference"),
        Workload("slow-reward", reward_seconds=1.0),
        Workload(
            "served",
            slots=64,
            prefill_seconds=0.0001,
            pool_tokens=200_000,
            cancel_delay_seconds=0.1,
            reward_seconds=0.030,
            reward_slope_seconds=0.005,
            reward_slots=8,
        ),
        Workload("readable", reward_noise=0.098, readable=Readable()),
        Workload("states", states=20),
        Workload(
            "cpu-server",
            step_tokens=30.0,
            depth_min=2,
            depth_max=6,
            end_probability=0.2,
            curve=Points(((1, 0.0268), (2, 0.0278), (4, 0.0281), (8, 0.0359), (16, 0.0497), (32, 0.0796))),
            slots=32,
            prefill_seconds=0.00106,
            cancel_delay_seconds=0.06,
            reward_seconds=0.03,
            reward_slope_seconds=0.04,
            reward_slots=32,
            seeds="whole",
        ),
    )
}


def find_workload(name: str) -> Workload:
    """The workload of that name. Raises `InputError` with the list."""
    if name not in WORKLOADS:
        nearest = get_close_matches(name.casefold(), WORKLOADS, n=1)
        meant = f"did you mean {nearest[0]}? " if nearest else ""
        raise InputError("workload", name, f"{meant}it must be one of {', '.join(WORKLOADS)}")
    return WORKLOADS[name]
