"""Workloads of the simulator: distributions of steps, rewards and ends, and the engines under them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from spex.errors import InputError
from spex.profile import Affine, Curve


@dataclass(frozen=True, slots=True)
class Workload:
    """A synthetic policy and reward.

    Steps are log-normal in tokens, of mean `step_tokens` and log-spread `spread`. A reward is the
    parent's plus normal noise, clipped; the root's is `root_reward`. A path ends with
    `end_probability` from `depth_min` on, surely at `depth_max`. `curve` is ℓ(b) of the policy's
    engine; a score takes `reward_seconds`. `seed` names the world; the run's seed is another.
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


WORKLOADS = {
    "reference": Workload("reference"),
    "slow-reward": Workload("slow-reward", reward_seconds=1.0),
}


def find_workload(name: str) -> Workload:
    """The workload of that name. Raises `InputError` with the nearest name and the list."""
    if name not in WORKLOADS:
        meant = "".join(f"did you mean {near}? " for near in get_close_matches(name, WORKLOADS, n=1))
        raise InputError("workload", name, f"{meant}it must be one of {', '.join(WORKLOADS)}")
    return WORKLOADS[name]
