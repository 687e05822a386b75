"""What the calls that have ended teach of an engine: its ℓ(b), how long they are, what their prompts cost it."""

from __future__ import annotations

from spex.control.job import Job
from spex.engine.base import Capabilities
from spex.profile import LearnedCurve
from spex.speculate.lengths import Lengths
from spex.speculate.losses import Losses
from spex.speculate.prompts import Kind, Prompts

_TOKENS_MIN_TO_LEARN = 4
_LEAST_SECONDS = 1e-9


class Lessons:
    """Of a lane: its texts, where it `serves_text`, or else its scores, of which each counts as one token."""

    def __init__(self, capabilities: Capabilities, *, serves_text: bool) -> None:
        self.profile: LearnedCurve = LearnedCurve(capabilities.curve)
        self.lengths: Lengths = Lengths() if serves_text else Lengths(prior=1.0)
        self.losses: Losses = Losses()
        self._serves_text = serves_text
        self._prompts = Prompts()

    def started(self, job: Job, capabilities: Capabilities) -> float:
        """The seconds for which nobody is likely to get a token, because the job's prompt is read."""
        kind = _kind(job)
        known = self._prompts.knows(kind) or not capabilities.prefill_seconds
        job.prompt_expected = self._prompts.uncached(kind) if known else None
        return self._prompts.seconds(kind, capabilities.prefill_seconds, capabilities.cached_seconds)

    def prompt_seconds(self, capabilities: Capabilities) -> float:
        """What the prompt of one more call costs the batch, in seconds for each token expected of it."""
        kind: Kind = "step" if self._serves_text else "score"
        seconds = self._prompts.seconds(kind, capabilities.prefill_seconds, capabilities.cached_seconds)
        return seconds / max(1.0, self.lengths.mean)

    def ended(self, job: Job, seconds: float, area: float, expected_tokens: float, prefill_seconds: float) -> None:
        """Take in a job that came to its end `seconds` after it was started.

        area: the number running, over those seconds. expected_tokens: what it should have by the curve, moment by
        moment, at the level of the curve's prior, but for the seconds that `started` told of it and of others.
        prefill_seconds: of an uncached prompt token.
        """
        cost, before = job.progress.cost, job.prompt_at_start
        uncached = float(cost.prompt_uncached - before.prompt_uncached)
        if self._serves_text and not job.expands:
            uncached += cost.reward - before.reward  # of a score beside texts; alone it is what a score takes
        self._prompts.observe(_kind(job), uncached, cost.prompt_cached - before.prompt_cached)
        if job.expands is not self._serves_text:
            return
        total = cost.generated
        self.lengths.observe(max(1.0, total) if self._serves_text else 1.0)  # an empty text, too, was a token's work
        tokens = float(total - job.generated_at_start) if self._serves_text else 1.0
        if job.prompt_expected is None:
            return  # for how long it waited for others' prompts, too, nobody knows
        seconds = max(seconds, _LEAST_SECONDS)
        decoding = seconds - (uncached - job.prompt_expected) * prefill_seconds
        expected_tokens *= decoding / seconds
        if not decoding > 0.0 < expected_tokens:
            return
        if tokens >= _TOKENS_MIN_TO_LEARN or not self._serves_text:
            level = self.profile.level
            self.profile.observe(area / seconds, decoding / tokens, decoding / expected_tokens * level)


def _kind(job: Job) -> Kind:
    if not job.expands:
        return "score"
    return "step" if job.depth else "problem"
