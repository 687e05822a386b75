"""Whether the probabilities of single tokens are those that the engine's own texts are written with."""

from __future__ import annotations

from math import exp

from spex.engine.base import Labelling, Progress
from spex.engine.measured import Labels, Share
from spex.engine.probe_bench import Bench, Wanted
from spex.engine.told import checked_chances
from spex.errors import Misbehaving
from spex.prompt import Prompt

_PROMPT_TOKENS = 40
_TOKENS = 6
_ROUNDING = 1e-3


async def measure_labels(bench: Bench) -> Labels:
    """Asks for each token of a greedy text, and for the text's other tokens in its place. Raises `EngineError`."""
    prompt = await bench.fresh(_PROMPT_TOKENS)
    completion = (await bench.ask(Wanted(prompt, _TOKENS, temperature=0.0))).completion
    written = completion.token_ids
    if not written:
        raise Misbehaving(bench.engine.name, "a greedy text of some tokens", completion)
    told = completion.logprobs if completion.logprobs and len(completion.logprobs) == len(written) else None
    differences, likeliest = [], 0
    for place, token in enumerate(written):
        chances = await _chances(bench, prompt.extended(written[:place]) if place else prompt, sorted(set(written)))
        likeliest += chances[token] >= max(chances.values()) - _ROUNDING
        if told is not None:
            differences.append(abs(chances[token] - exp(told[place])))
    return Labels(len(written), max(differences, default=None), Share(likeliest, len(written)))


async def _chances(bench: Bench, prompt: Prompt, labels: list[int]) -> dict[int, float]:
    request = Labelling(f"probe|{bench.nonce}", prompt, tuple(labels))
    values = await bench.engine.label(request, Progress())
    if len(values) != len(labels):
        raise Misbehaving(bench.engine.name, "a probability for each label", values)
    return dict(zip(labels, checked_chances(values, bench.engine.name), strict=True))
