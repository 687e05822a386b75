"""pytest by the engines' own Python, with what SPEX and its tests need put behind what is installed there.

    .engines/venv/bin/python -m engines.beside .venv/lib/python3.11/site-packages tests/live/test_sglang_local.py

Both environments must be of one version of Python. Each package is the engines' where they have it. SGLang's processes
import this module first, as their main one, so that what SGLang needs on a CPU stands before anything else does.
"""

from __future__ import annotations

import contextlib
import site
import sys
from importlib import import_module

with contextlib.suppress(ImportError):  # an environment that something else has made declares it in its own way
    import_module("spex_sglang_cpu.launch")


def main(arguments: list[str]) -> int:
    """The status of pytest, whose arguments follow the folder of SPEX's packages."""
    site.addsitedir(arguments[0])
    import pytest  # noqa: PLC0415  # it is in that folder

    return int(pytest.main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
