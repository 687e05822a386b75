"""What an engine is asked, what it answers, and what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from spex.engine.drafts import Drafts
from spex.problem import Problem
from spex.profile import Affine, Curve
from spex.prompt import Prompt
from spex.tree import End, Step
from spex.usage import Tokens


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. Temperature 0 is greedy; `top_k` 0 and `top_p` 1 cut nothing."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0


class Message(NamedTuple):
    """One turn of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Generation:
    """One request for text. `key` (problem id and call) names it in the log; the rest is G1's request."""

    key: str
    prompt: Prompt
    seed: int
    stop: tuple[str, ...]
    tokens_max: int
    sampling: Sampling = Sampling()

    @property
    def digest(self) -> str:
        """What the request is, whoever asks: 32 hexadecimal digits."""
        parts = (self.prompt.digest, self.seed, self.stop, self.tokens_max, self.sampling)
        return _digest(repr(parts))


@dataclass(frozen=True, slots=True)
class Labelling:
    """One request for the probabilities of single next tokens, `labels`, after `prompt`."""

    key: str
    prompt: Prompt
    labels: tuple[int, ...]


class Completion(NamedTuple):
    """What a `Generation` gave: `token_ids` includes the tokens of a matched stop string."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None
    end: End


@dataclass(frozen=True, slots=True)
class Path:
    """A partial solution as a reward sees it: the prompt with all steps, and the steps."""

    prompt: Prompt
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        return "".join(step.text for step in self.steps)


@dataclass(frozen=True, slots=True)
class Scoring:
    """One request to a reward: a number in [0, 1] for each path."""

    key: str
    problem: Problem
    paths: tuple[Path, ...]
    model: str
    seed: int

    @property
    def digest(self) -> str:
        """What is scored, by content: 32 hexadecimal digits."""
        contents = tuple(path.prompt.digest for path in self.paths)
        tests = (self.problem.tests,) if self.problem.tests else ()
        return _digest(repr((self.problem.id, contents, self.model, self.seed, *tests)))


@dataclass(slots=True)
class Progress:
    """One attempt at a request, written by the engine as it goes, read by the scheduler.

    `token_ids`, `logprobs` and `text` are the work so far: an engine that `resumes` goes on from them, any other starts
    from nothing. `cost` is what this attempt made the engine do, kept tokens and dropped ones; `lost` what failed
    attempts before it did. `failed`: there were such, and its seconds tell nothing. `replayed`: some of the answer came
    from a log; `replayed_cost`: what of `cost`, and of earlier attempts', was therefore not asked of the engine.
    `demanded` is the scheduler's to write: the search waits for it, so that an engine may serve it before others.
    `parts`: those of the requests that it is now asked in, where they are several (`spex.engine.apart`). `kept`: those
    of them that outlive a stop, by whatever names each in the call; `whole`: its text, once all of it is written.
    """

    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    text: str = ""
    cost: Tokens = Tokens()
    lost: Tokens = Tokens()
    failed: bool = False
    replayed: bool = False
    replayed_cost: Tokens = Tokens()
    demanded: bool = True
    parts: list[Progress] = field(default_factory=list)
    kept: dict[str, Progress] = field(default_factory=dict)
    whole: Completion | None = None

    @property
    def is_begun(self) -> bool:
        """Whether there is something to go on from."""
        written = bool(self.token_ids or self.text) or self.whole is not None
        return written or any(own.is_begun for own in self.kept.values())

    def demand(self) -> None:
        """The search waits for it from now on, and so for every part of it."""
        self.demanded = True
        for part in self.parts:
            part.demand()

    def replay(self, cost: Tokens) -> None:
        """An answer came from a log, which cost so much when it was made."""
        self.replayed = True
        self.cost = self.cost.plus(cost)
        self.replayed_cost = self.replayed_cost.plus(cost)

    def fail(self, *, keeps_tokens: bool = False) -> None:
        """The attempt failed: what it cost is lost, and the next one starts afresh.

        keeps_tokens: where there are some, the next one goes on from them instead, and they are not lost (G1).
        """
        self.failed = True
        if keeps_tokens and self.is_begun:
            return
        self.lost = self.lost.plus(self.cost)
        self.cost = Tokens()
        self.token_ids.clear()
        self.logprobs.clear()
        self.text = ""
        self.kept.clear()
        self.whole = None

    def keep(self, name: str, completion: Completion) -> None:
        """Its text is whole, and only the first of the call's."""
        self.finish(completion)
        self.kept[name], self.whole = Progress(whole=completion), None

    def finish(self, completion: Completion) -> None:
        """Its text is whole: nothing is to go on from it."""
        self.whole = completion
        self.token_ids.clear()
        self.logprobs.clear()
        self.text = ""

    def spend(self, generated: int = 0, prompt_cached: int = 0, prompt_uncached: int = 0, reward: int = 0) -> None:
        """Add to what this attempt has cost the engine."""
        self.cost = self.cost.plus(Tokens(generated, prompt_cached, prompt_uncached, reward))


SeedKind: TypeAlias = Literal["none", "whole", "positional"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do. `curve` is a first belief about ℓ(b), in seconds; it is refined by use.

    seed: `whole` repeats a text from its start, `positional` also from any token on. resumes: it goes on from a text's
    tokens, whatever its seeds are. continues: in the very place where a prompt ends. counts: it tells what a
    text has cost. slots: most requests at once. context_tokens: prompt and text together, None where there is no limit.
    prefill_seconds: what an uncached prompt token costs (τ); cached_seconds: what a cached one does, next to nothing
    but on some CPUs. priority: its own queue has demanded calls first. retain: it keeps their prompts longer. drafts:
    its token-level speculation, None for none that is known of.
    """

    seed: SeedKind = "none"
    seed_bits: int = 64
    abort_confirmed: bool = True
    log_probabilities: bool = True
    label_scores: bool = False
    resumes: bool = False
    continues: bool = True
    counts: bool = True
    slots: int = 256
    context_tokens: int | None = None
    curve: Curve = Affine(0.010, 0.0001)
    prefill_seconds: float = 0.0
    cached_seconds: float = 0.0
    cancel_delay_seconds: float = 0.0
    priority: bool = False
    retain: bool = False
    drafts: Drafts | None = None

    @property
    def keeps_tokens(self) -> bool:
        """Whether a text that was stopped goes on from its tokens (G1).

        With a seed that repeats it from its start alone it is written again, and is the same. Where seeds do nothing, a
        new one would be another: who stops what has become long, and draws afresh, makes texts shorter.
        """
        return self.seed == "positional" or (self.resumes and self.seed == "none")


class Counters(NamedTuple):
    """An engine's own count, since it was opened: what G3 and G4 are checked against."""

    running: int
    cost: Tokens


class Server(Protocol):
    """What the scheduler needs to know of whatever takes its requests: an engine, or a reward of its own."""

    @property
    def name(self) -> str: ...
    @property
    def capabilities(self) -> Capabilities: ...
    def counters(self) -> Counters: ...


class Engine(Server, Protocol):
    """An LLM server or in-process model. Knows no search, no tree and no problem.

    Cancelling the task that awaits `generate` or `label` aborts the request: when the
    cancellation comes through, it no longer runs. Everything that goes wrong is an `EngineError`.
    """

    async def open(self) -> None:
        """Connect, or load; a second call does nothing."""
        ...

    async def close(self) -> None:
        """Leave nothing running; a second call does nothing."""
        ...

    async def encode(self, text: str) -> tuple[int, ...]:
        """`text` as token ids; what looks like a control token stays text."""
        ...

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """A chat up to where the assistant speaks next; contents never become control tokens."""
        ...

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        """The request's text, going on from `progress` where the engine resumes."""
        ...

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        """The probability in [0, 1] of each label as the next token."""
        ...


@runtime_checkable
class Wrapper(Protocol):
    """An engine around an engine: it adds one concern (recording, retries)."""

    @property
    def inner(self) -> Server: ...


def innermost(server: Server) -> Server:
    """What really does the work: two wrappers of one engine share its slots."""
    while isinstance(server, Wrapper):
        server = server.inner
    return server


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
