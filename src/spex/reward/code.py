"""Code that is run against a problem's tests, in a sandbox: the score is the share of tests that it passes.

`--reward code`: functions in Monty, whole programs in bubblewrap; `code:bwrap`: functions in bubblewrap, too, which
knows all of Python; `code:all`: 1 for all tests passed, else 0; `code:bwrap,all`: both.
"""

from __future__ import annotations

import os

from spex.engine.base import Path, Progress, Scoring, Server
from spex.errors import InputError
from spex.problem import Problem
from spex.reward.bubblewrap import Bubblewrap
from spex.reward.code_tests import CallTest, Test, equal, parsed, printed_alike
from spex.reward.local import LocalServer
from spex.reward.monty_sandbox import MontySandbox
from spex.reward.sandbox import Limits, ProgramSandbox, Sandbox
from spex.tasks.fenced import last_block

_WORDS = frozenset({"bwrap", "all"})
_CODE_CHARACTERS_MAX = 1 << 20


class CodeReward:
    """The share of `problem.tests` that a path's code passes; `all_or_nothing`: 1 for all of them, else 0.

    The code is that of the path's last fenced block, or the whole text where it has none; a path that goes on and has
    no block yet scores 0, and is not run. `functions` runs the tests
    of functions, `programs` those of whole programs (default: Monty and bubblewrap). Code that does not end in time,
    prints too much or does whatever else but have the right value passes nothing, and nothing of it is left running. A
    score depends on the machine as far as the time does that is allowed (`limits.seconds` a test). slots: tests at
    once (default: the cores).

    Raises `InputError` for a problem without tests, and where a sandbox is missing that a test needs.
    """

    def __init__(
        self,
        *,
        functions: Sandbox | None = None,
        programs: ProgramSandbox | None = None,
        all_or_nothing: bool = False,
        limits: Limits | None = None,
        slots: int | None = None,
    ) -> None:
        limits, slots = limits or Limits(), slots or os.cpu_count() or 1
        self._programs: ProgramSandbox = programs or Bubblewrap(limits)
        self._functions: Sandbox = functions or MontySandbox(limits, slots)
        self._all_or_nothing = all_or_nothing
        self._name = f"code:{self._functions.name}{',all' * all_or_nothing}"
        self._server = LocalServer(self._name, latency_seconds=0.02, slots=slots)
        self._users = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def server(self) -> Server:
        return self._server

    def check_problem(self, problem: Problem) -> None:
        """Raise `InputError` where its tests are none, or are not to be run here."""
        if not problem.tests:
            allowed = "the reward `code` needs tests (in a file's line the key `tests`)"
            raise InputError("tests", None, f"problem {problem.id!r} has none: {allowed}")
        for sandbox in {id(sandbox): sandbox for sandbox in map(self._place, map(parsed, problem.tests))}.values():
            try:
                sandbox.refuse_missing()
            except InputError as error:
                told = f"problem {problem.id!r} {self._needs(sandbox)}: {error.allowed}"
                raise InputError("reward", None, told) from None

    async def open(self) -> None:
        self._users += 1

    async def close(self) -> None:
        self._users = max(0, self._users - 1)
        if not self._users:
            await self._functions.close()
            await self._programs.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:  # noqa: ARG002
        self.check_problem(request.problem)
        tests = tuple(map(parsed, request.problem.tests))
        with self._server.busy():
            return tuple([await self._score(path, tests) for path in request.paths])

    async def _score(self, path: Path, tests: tuple[Test, ...]) -> float:
        code = code_of(path)
        if not code.strip() or len(code) > _CODE_CHARACTERS_MAX:
            return 0.0
        passed = 0
        for test in tests:
            if await self._passes(code, test):
                passed += 1
            elif self._all_or_nothing:
                return 0.0
        return passed / len(tests)

    async def _passes(self, code: str, test: Test) -> bool:
        await self._place(test).open()
        if isinstance(test, CallTest):
            value = await self._functions.value(code, test.call)
            return value is not None and equal(value.value, test.expected)
        printed = await self._programs.printed(code, test.read)
        return printed is not None and printed_alike(str(printed.value), test.printed)

    def _needs(self, sandbox: Sandbox) -> str:
        if sandbox is self._programs:
            return "is a whole program, and these run in bubblewrap alone"
        where = ", which code:bwrap runs in bubblewrap (code: in Monty)" if isinstance(sandbox, Bubblewrap) else ""
        return f"has tests of functions{where}"

    def _place(self, test: Test) -> Sandbox:
        return self._functions if isinstance(test, CallTest) else self._programs


def code(form: str) -> CodeReward:
    """The reward that `--reward code:FORM` names. Raises `InputError`."""
    words = {word for word in form.split(",") if word}
    if not words <= _WORDS:
        raise InputError("reward", f"code:{form}", "behind code: stand bwrap, all or both: code:bwrap,all")
    limits = Limits()
    return CodeReward(functions=Bubblewrap(limits) if "bwrap" in words else None, all_or_nothing="all" in words)


def code_of(path: Path) -> str:
    """The code in a path's text: its last fenced block, or all of it; none where it may still come to a block."""
    block = last_block(path.text)
    if block is not None:
        return block.code
    return path.text if path.steps and path.steps[-1].terminal else ""
