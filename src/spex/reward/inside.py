"""What runs inside the sandbox before a model's code: it lays down the limits, and hands a call's value out.

A program of its own, for any Python from 3.8 on, and of the standard library alone: the sandbox has nothing of SPEX.

    inside.py MEMORY_BYTES PROCESSES CPU_SECONDS FILES_BYTES FILE [value]

With `value`, FILE's variable of that name is printed, and nothing else of what the code prints.
"""

import json
import os
import resource
import runpy
import sys
from typing import Any


def main(memory: str, processes: str, cpu_seconds: str, files: str, path: str, *rest: str) -> None:
    """Run the program at `path` within the limits."""
    limit(resource.RLIMIT_AS, memory)
    limit(resource.RLIMIT_NPROC, processes)
    limit(resource.RLIMIT_CPU, cpu_seconds)
    limit(resource.RLIMIT_FSIZE, files)
    limit(resource.RLIMIT_CORE, "0")
    sys.argv = [path]
    if not rest:
        runpy.run_path(path, run_name="__main__")
        return
    # What the code prints is dropped. Were it to write here what it likes: it does not know what is expected.
    told = os.dup(1)
    nowhere = os.open("/dev/null", os.O_WRONLY)
    os.dup2(nowhere, 1)
    value = runpy.run_path(path)[rest[0]]
    with os.fdopen(told, "w") as out:
        json.dump(plain(value), out)


def limit(kind: int, most: str) -> None:
    """No process of the sandbox can raise it again."""
    resource.setrlimit(kind, (int(most), int(most)))


def plain(value: Any) -> Any:
    """The value as JSON has it; what JSON has not is an object of one key. Raises TypeError for what is not plain."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind in (list, tuple):
        return [plain(part) for part in value]
    if kind is dict:
        return {"dict": [[plain(key), plain(part)] for key, part in value.items()]}
    if kind in (set, frozenset):
        return {"set": [plain(part) for part in value]}
    if kind is bytes:
        return {"bytes": value.hex()}
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    raise TypeError("no plain value: " + kind.__name__)


if __name__ == "__main__":
    main(*sys.argv[1:])
