"""`spex doctor`: what this machine has and what is missing, to read and to paste into a report."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from re import match, search
from shutil import which
from typing import Annotated

import msgspec
import typer

from spex.cli.failures import DONE, ENVIRONMENT
from spex.cli.streams import put, put_json
from spex.engine.local_model import default_model
from spex.errors import InputError

_DISTRIBUTION = "spex-search"


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at. `advice` says what to do where something is missing."""

    subject: str
    found: str | None
    advice: str | None = None


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when something is missing.")] = False,
) -> int:
    """Say what this machine has, and what to install where something is missing."""
    findings = [*_machine(), *_packages(), *_extras(), _sandbox(), *_embedded()]
    if as_json:
        put_json({"spex": 1, "findings": msgspec.to_builtins(findings)})
    else:
        for finding in findings:
            put(_line(finding))
    return ENVIRONMENT if strict and any(finding.found is None for finding in findings) else DONE


def _machine() -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [
        Finding("python", f"{platform.python_version()} ({sys.executable})"),
        Finding("platform", platform.platform()),
        Finding("cores", str(cores)),
    ]


def _packages() -> list[Finding]:
    needed = [_name(line) for line in requires(_DISTRIBUTION) or () if "extra ==" not in line]
    return [_package(name, f"pip install {name}") for name in (_DISTRIBUTION, *sorted(needed))]


def _extras() -> list[Finding]:
    """What only some searches and plots need: to lack it is no fault, so that it is found to be not installed."""
    optional = [found for line in requires(_DISTRIBUTION) or () if (found := search(r"extra == ['\"](\w+)['\"]", line))]
    pairs = sorted({(_name(found.string), found[1]) for found in optional if found[1] != "embedded"})
    return [
        finding
        if finding.found
        else msgspec.structs.replace(finding, found=f"not installed ({finding.advice})", advice=None)
        for finding in (_package(name, f"pip install 'spex-search[{extra}]'") for name, extra in pairs)
    ]


def _sandbox() -> Finding:
    """What runs whole programs for the reward `code`: as with extras, to lack it is no fault."""
    return Finding("bubblewrap", which("bwrap") or "not installed (apt install bubblewrap; for --reward code)")


def _package(name: str, advice: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, None, advice)


def _embedded() -> list[Finding]:
    """The engine in this process and the model that it loads when none is named."""
    engine = _package("xllamacpp", "pip install xllamacpp, for models in this process (--policy llamacpp)")
    try:
        model = Finding("model", str(default_model()))
    except InputError as error:
        model = Finding("model", None, error.allowed)
    return [engine, model]


def _name(requirement: str) -> str:
    found = match(r"[A-Za-z0-9._-]+", requirement)
    return found.group() if found else requirement


def _line(finding: Finding) -> str:
    return f"{finding.subject:<24} {finding.found or 'missing: ' + str(finding.advice)}"
