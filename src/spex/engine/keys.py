"""Keys of servers: one rule for all kinds of them.

A key is never said on a command line, where every user of a machine can read it, and stands in no file of ours. What
is not given in Python is in the variable that is called after the engine: VLLM_API_KEY for `vllm:`, as vLLM's own
server has it, SGLANG_API_KEY, OPENAI_API_KEY, and LLAMA_API_KEY, as llama.cpp's has it. Each goes to this machine, or
over an encrypted connection, and never in the clear to another one.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from spex.engine.http import checked_key, checked_url, is_loopback
from spex.errors import InputError


class Key(NamedTuple):
    """A key (None: there is none), and what to do where a server wants another one."""

    value: str | None
    advice: str


def key_for(engine: str, address: str, given: str | None) -> Key:
    """The key that was `given` (empty: none), or that of the engine's variable, where it may be sent to `address`.

    Raises `InputError`, which repeats no key: for one that no header can hold, and for a given one that would go in the
    clear to another machine. One of a variable is not sent there, for it may be meant for another server.
    """
    if given is not None:
        if given and _goes_in_the_clear(address):
            told = "it would be sent in the clear to another machine: use https, or give no key"
            raise InputError("key", None, told)
        return Key(checked_key(given), "")
    variable = f"{engine.upper()}_API_KEY"
    key = os.environ.get(variable)
    if not key:
        return Key(None, f"; set {variable}")
    if _goes_in_the_clear(address):
        return Key(None, f"; that of {variable} is not sent in the clear to another machine: use https")
    try:
        return Key(checked_key(key), f"; that of {variable} is none of its own")
    except InputError as error:
        raise InputError(variable, None, error.allowed) from None


def _goes_in_the_clear(address: str) -> bool:
    """Whether what is sent there can be read on the way. Raises `InputError`."""
    return not (address.casefold().startswith("https:") or is_loopback(checked_url(address)))
