"""How often one sampled play of a policy makes 24."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from spex.engine.base import Completion
from spex.problem import Problem
from spex.tasks.game24 import Game24
from training.model import BEGIN_ID, END_ID

SAMPLES = 8
_TOKENS_MAX = 64


def policy_figures(
    model: LlamaForCausalLM, tokenizer: Tokenizer, puzzles: Sequence[tuple[int, ...]], seed: int
) -> dict[str, float]:
    """Of plays at temperature 1, `legal`: the part that is legal to the end, and `success`: whose expression is 24.

    `solved_of_8`: the part of puzzles that any of 8 plays solves.
    """
    asked = [" ".join(map(str, puzzle)) for puzzle in puzzles for _ in range(SAMPLES)]
    texts = sampled(model, tokenizer, asked, seed)
    wins = [wins_by(puzzle, text) for puzzle, text in zip(asked, texts, strict=True)]
    by_puzzle = [any(wins[start : start + SAMPLES]) for start in range(0, len(wins), SAMPLES)]
    legal = sum(answer_of(puzzle, text) is not None for puzzle, text in zip(asked, texts, strict=True))
    return {
        "success": sum(wins) / len(wins),
        f"solved_of_{SAMPLES}": sum(by_puzzle) / len(by_puzzle),
        "legal": legal / len(wins),
    }


def wins_by(puzzle: str, text: str) -> bool:
    """Whether a whole play is legal and makes 24, by the task itself."""
    answer = answer_of(puzzle, text)
    return answer is not None and Game24().check(Problem(puzzle), answer)


def answer_of(puzzle: str, text: str) -> str | None:
    """The expression of a whole play, None where a line of it is no legal move."""
    (step,) = Game24().read(Problem(puzzle), (), "solution", Completion(text, (0,), None, "eos"))
    return step.answer


def sampled(model: LlamaForCausalLM, tokenizer: Tokenizer, puzzles: Sequence[str], seed: int) -> list[str]:
    """A play of each puzzle, at temperature 1. Prompts of one length go together: no padding, no mask."""
    prompts = [[BEGIN_ID, *tokenizer.encode(f"{puzzle}\n").ids] for puzzle in puzzles]
    found: dict[int, str] = {}
    for length in sorted({len(prompt) for prompt in prompts}):
        rows = [row for row, prompt in enumerate(prompts) if len(prompt) == length]
        written = _written(model, torch.tensor([prompts[row] for row in rows]), seed + length)
        found |= dict(zip(rows, (tokenizer.decode(token_ids) for token_ids in written), strict=True))
    return [found[row] for row in range(len(prompts))]


@torch.inference_mode()  # type: ignore[untyped-decorator]
def _written(model: LlamaForCausalLM, prompts: torch.Tensor, seed: int) -> list[list[int]]:
    """Tokens up to the end, for each of the prompts (number, length)."""
    model.eval()
    chance = torch.Generator().manual_seed(seed)
    tokens, cache = prompts, None
    written: list[list[int]] = [[] for _ in prompts]
    ended = torch.zeros(len(prompts), dtype=torch.bool)
    for _ in range(_TOKENS_MAX):
        out = model(input_ids=tokens, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        tokens = torch.multinomial(out.logits[:, -1].softmax(-1), 1, generator=chance)
        ended |= tokens[:, 0] == END_ID
        for row in (~ended).nonzero()[:, 0].tolist():
            written[row].append(int(tokens[row, 0]))
        if bool(ended.all()):
            break
    return written
