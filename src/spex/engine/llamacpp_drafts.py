"""Drafts of the embedded llama.cpp: a smaller model, or the n-grams of the text itself.

llama.cpp draws each token as it would without, and then compares it with the draft: its texts are the same, as far as
its numbers are (a pass over several tokens rounds differently). It tells no log-probabilities of tokens that were
drafted, so that none are used. Of its kinds those are offered whose drafts are of the request alone, and that were
tried: `ngram-simple` and `draft-simple`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spex.engine.drafts import Drafts
from spex.engine.gguf import check_gguf
from spex.engine.llamacpp_library import xllamacpp
from spex.errors import InputError

NGRAM = "ngram"
_TOKENS_MAX = 64
_NGRAM_TOKENS = 3
_USUAL_TOKENS = {True: 8, False: 4}


@dataclass(frozen=True, slots=True)
class LocalDraft:
    """`source` is `ngram` or the path of a GGUF file of the same vocabulary; `tokens`: drafted at once (1 to 64).

    Raises `InputError`.
    """

    source: str
    tokens: int

    def __post_init__(self) -> None:
        if type(self.tokens) is not int or not 1 <= self.tokens <= _TOKENS_MAX:
            raise InputError("draft", self.tokens, f"tokens drafted at once must be from 1 to {_TOKENS_MAX}")
        if self.source != NGRAM:
            _check_model(Path(self.source))

    @property
    def told(self) -> Drafts:
        """As a capability."""
        if self.source == NGRAM:
            return Drafts("n-grams of the text", self.tokens, alone=True)
        model = Path(self.source)
        return Drafts(f"{model.name} ({model.stat().st_size} bytes)", self.tokens, alone=True)

    def put_into(self, parameters: Any, threads: int) -> None:
        """Set what xllamacpp's `CommonParams` has for it. Raises `InputError` where the package is not installed."""
        kinds, speculative = xllamacpp().common_speculative_type, parameters.speculative
        if self.source == NGRAM:
            speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
            speculative.ngram_simple.size_n = _NGRAM_TOKENS
            speculative.ngram_simple.size_m = self.tokens
            return
        speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE]
        speculative.draft.mparams.path = self.source
        speculative.draft.n_max = self.tokens
        speculative.draft.cpuparams.n_threads = threads
        speculative.draft.cpuparams_batch.n_threads = threads


def find_local_draft(text: str) -> LocalDraft:
    """What `ngram`, `ngram:TOKENS`, `FILE` or `FILE:TOKENS` says. Raises `InputError`."""
    source, colon, tokens = text.rpartition(":")
    if not colon or not tokens.isascii() or not tokens.isdigit() or len(tokens) > len(str(_TOKENS_MAX)):
        return LocalDraft(text, _USUAL_TOKENS[text == NGRAM])
    return LocalDraft(source, int(tokens))


def drafted_by(model: str | Path | None) -> tuple[str | Path | None, str | None]:
    """A model and its draft, where `model` reads MODEL#DRAFT or #DRAFT; a file of that very name is a model alone."""
    if not isinstance(model, str) or "#" not in model or Path(model).exists():
        return model, None
    path, _, draft = model.rpartition("#")
    return path or None, draft


def _check_model(path: Path) -> None:
    try:
        check_gguf(path)
    except InputError as error:
        told = f"{error.allowed}; it must read ngram, ngram:TOKENS, or the path of a GGUF file, with :TOKENS or without"
        raise InputError("draft", error.value, told) from None
