"""Code that a model wrote, run against tests: what passes, and that nothing it does passes or hurts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path as File
from shutil import which
from types import SimpleNamespace
from typing import Self

import pytest

from spex.api import run_sync, solve_sync
from spex.engine.base import Path, Progress, Scoring
from spex.engine.function import FunctionPolicy
from spex.errors import InputError
from spex.problem import CodeTest, Problem
from spex.prompt import Prompt
from spex.reward.bubblewrap import Bubblewrap, _interpreters
from spex.reward.code import CodeReward, code
from spex.reward.code_tests import CallTest, ProgramTest, equal, parsed, printed_alike
from spex.reward.monty_sandbox import MontySandbox
from spex.reward.plain import told_value
from spex.reward.sandbox import Limits, Sandbox
from spex.search.best_of_n import BestOfN
from spex.tasks.fenced import Block, last_block
from spex.tree import Step
from tests.reward.paths import request, scores

MONTY = pytest.mark.skipif(find_spec("pydantic_monty") is None, reason="pydantic-monty is not installed")
BWRAP = pytest.mark.skipif(which("bwrap") is None, reason="bubblewrap is not installed")
BOTH = [pytest.param("monty", marks=MONTY), pytest.param("bwrap", marks=BWRAP)]
SHORT = Limits(seconds=1.0, memory_bytes=128 << 20, output_bytes=1 << 16)
ADDS = ("assert add(2, 3) == 5", "assert add(-1, 1) == 0")
RIGHT = "def add(a, b):\n    return a + b\n"
DOUBLES = (("4\n", "8\n"), ("5\n", "10\n"))
DOUBLE = "print(2 * int(input()))\n"


def end_of_path(text: str) -> Path:
    """A path that has come to its end with this text."""
    return Path(Prompt([tuple(text.encode())]), (replace(Step(text), terminal=True),))


def asked(text: str, tests: tuple[CodeTest, ...]) -> Scoring:
    return request(end_of_path(text), problem=Problem("Write it.", id="code-1", tests=tests))


def sandbox(name: str, limits: Limits = SHORT) -> Sandbox:
    return MontySandbox(limits, 2) if name == "monty" else Bubblewrap(limits)


def score(
    text: str, tests: tuple[CodeTest, ...] = ADDS, *, where: str = "bwrap", all_or_nothing: bool = False
) -> float:
    """What the text's code scores, with the tests of functions run in `where`."""
    reward = CodeReward(
        functions=sandbox(where), programs=Bubblewrap(SHORT), all_or_nothing=all_or_nothing, limits=SHORT, slots=2
    )
    return scores(reward, asked(text, tests))[0]


def left_running(marker: str) -> list[str]:
    """Processes that have the marker in their command line."""
    found = []
    for folder in File("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if marker in command:
            found.append(command)
    return found


@pytest.fixture
def nothing_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 5.0
    while left_running("/inside/inside.py") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left_running("/inside/inside.py") == []


# Tests, and what is compared


@pytest.mark.parametrize(
    ("test", "call", "expected"),
    [
        ("assert add(2, 3) == 5", "add(2, 3)", 5),
        ("assert 5 == add(2, 3), 'adds'", "add(2, 3)", 5),
        ("assert f('a') is None", "f('a')", None),
        ("assert f({1: [2]}) == {'a': (1, 2)}", "f({1: [2]})", {"a": (1, 2)}),
        ("assert is_prime(7)", "bool(is_prime(7))", True),
        ("assert not is_prime(8)", "bool(is_prime(8))", False),
        ("assert f(1) == -2.5", "f(1)", -2.5),
    ],
)
def test_an_assertion_is_a_call_and_the_value_that_it_must_have(test: str, call: str, expected: object) -> None:
    assert parsed(test) == CallTest(call, expected)


def test_a_pair_is_what_a_program_reads_and_prints() -> None:
    assert parsed(("1\n", "2\n")) == ProgramTest("1\n", "2\n")


@pytest.mark.parametrize(
    "test",
    [
        "add(2, 3) == 5",
        "assert add(2, 3) != 4",
        "assert abs(f(1) - 2) < 1e-6",
        "assert f(1) == g(1)",
        "assert all(f(n) == n for n in (1, 2))",
        "assert 5 == 5",
        "assert f(1) == 1; import os",
        "assert f(1",
        "",
        "assert " + "(" * 500,
        "assert f('\0') == 1",
    ],
)
def test_an_assertion_whose_comparison_the_code_could_answer_is_refused(test: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(test)
    assert caught.value.field == "tests"


@pytest.mark.parametrize("tests", [[], ("a", 1), (("a",),), (("a", "b", "c"),), ("\ud800",), ("a",) * 1001])
def test_a_problem_refuses_tests_that_are_none(tests: object) -> None:
    with pytest.raises(InputError) as caught:
        Problem("Write it.", tests=tests)  # type: ignore[arg-type]
    assert caught.value.field == "tests"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, (2, 3)], (1, [2, 3])),
        (0.1 + 0.2, 0.3),
        (3, 3.0),
        ({1: [2.0]}, {1: [2]}),
        ({1, 2}, {2, 1}),
        ("a", "a"),
        (b"a", b"a"),
        (1j, 1j),
    ],
)
def test_values_that_are_meant_alike_are_equal(value: object, expected: object) -> None:
    assert equal(value, expected)


class Flatterer:
    """Says that it equals everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, True),
        (True, 1),
        ("5", 5),
        ([1], [1, 2]),
        ({1: 2}, {1: 3}),
        (float("nan"), float("nan")),
        (10**400, 1.0),
        (None, False),
        *((Flatterer(), expected) for expected in (5, None, "a", [1], {1: 2}, {1}, 1.5)),
    ],
)
def test_values_that_differ_or_only_say_that_they_are_equal_are_not(value: object, expected: object) -> None:
    assert not equal(value, expected)


def test_a_value_that_is_deeper_than_expected_is_compared_no_deeper() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert not equal(deep, [[1]])


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b'{"set": 1}', b'{"dict": [[{"dict": []}, 1]]}', b"[" * 100_000])
def test_what_is_no_value_of_a_sandbox_is_none(data: bytes) -> None:
    assert told_value(data) is None


def test_a_number_beyond_all_floats_is_no_value_of_a_complex_one() -> None:
    assert told_value(b'{"complex": [1' + b"0" * 400 + b", 0]}") is None


def test_what_a_program_prints_is_compared_without_white_space_at_ends() -> None:
    assert printed_alike("1 2 \n3\n\n", "1 2\n3")
    assert not printed_alike("1 2\n", "1  2\n")
    assert not printed_alike("\n1", "1")


def test_the_record_of_a_score_is_of_the_tests_too() -> None:
    one, other = (
        request(end_of_path("x"), problem=Problem("Write.", id="p", tests=tests)) for tests in (ADDS, ADDS[:1])
    )
    untested = [request(end_of_path("x"), problem=Problem("Write.", id="p", answer=answer)) for answer in ("1", "2")]
    assert one.digest != other.digest
    assert len({score.digest for score in untested}) == 1


# Where the code is


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("no code", None),
        ("a\n```python\nx = 1\n```\nb", Block("x = 1\n", closed=True)),
        ("```\na\n```\n```py\nb\n```", Block("b\n", closed=True)),
        ("```\na\n```\n```py\nb", Block("b", closed=False)),
        ("say ``` inside\n", None),
    ],
)
def test_the_code_is_that_of_the_last_block(text: str, block: Block | None) -> None:
    assert last_block(text) == block


@BWRAP
def test_code_is_taken_from_the_last_block_or_is_all_of_the_text() -> None:
    assert score(f"Think.\n```python\nbroken(\n```\nBetter:\n```python\n{RIGHT}```\n") == 1.0
    assert score(RIGHT) == 1.0


def test_a_path_that_goes_on_without_a_block_is_not_run() -> None:
    path = Path(Prompt([(1,)]), (Step("def add(a, b): return a + b"),))
    asking = request(path, problem=Problem("Write it.", tests=ADDS))

    class NoSandbox(Bubblewrap):
        def refuse_missing(self) -> None: ...

        async def open(self) -> None:
            raise AssertionError("it was run")

    assert scores(CodeReward(functions=NoSandbox(SHORT)), asking) == (0.0,)


# What passes


@pytest.mark.parametrize("where", BOTH)
def test_the_score_is_the_share_of_tests_passed_or_all_of_them(where: str) -> None:
    half = "def add(a, b):\n    return 5\n"
    assert score(RIGHT, where=where) == 1.0
    assert score(half, where=where) == 0.5
    assert score(half, where=where, all_or_nothing=True) == 0.0
    assert score(RIGHT, where=where, all_or_nothing=True) == 1.0


@pytest.mark.parametrize("where", BOTH)
def test_values_of_all_plain_types_come_back(where: str) -> None:
    text = "def f(x):\n    return {x: (1, {2, 3}), 'b': [None, True, 1.5, b'c']}\n"
    assert score(text, ("assert f('a') == {'a': (1, {2, 3}), 'b': [None, True, 1.5, b'c']}",), where=where) == 1.0


@BWRAP
def test_a_program_is_given_its_input_and_its_output_counts() -> None:
    assert score(DOUBLE, DOUBLES) == 1.0
    assert score("print(8)", DOUBLES) == 0.5


@pytest.mark.parametrize("where", BOTH)
def test_a_reward_can_be_used_in_another_event_loop(where: str) -> None:
    reward = CodeReward(functions=sandbox(where), limits=SHORT, slots=2)

    async def main() -> list[tuple[float, ...]]:
        await reward.open()
        try:
            return list(await asyncio.gather(*(reward.score(asked(RIGHT, ADDS), Progress()) for _ in range(3))))
        finally:
            await reward.close()

    assert asyncio.run(main()) == asyncio.run(main()) == [(1.0,)] * 3


class Pool:
    """In Monty's place: takes an instant to start."""

    def __init__(self, **limits: float) -> None: ...

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *error: object) -> None: ...


def test_monty_that_several_wait_for_can_be_opened_in_another_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_monty", SimpleNamespace(AsyncMonty=Pool, MontyError=RuntimeError))
    monkeypatch.setattr(MontySandbox, "refuse_missing", lambda self: None)
    monty = MontySandbox(SHORT, 2)

    async def main() -> None:
        await asyncio.gather(*(monty.open() for _ in range(3)))
        await monty.close()

    asyncio.run(main())
    asyncio.run(main())


def test_bubblewrap_that_could_not_be_opened_is_tried_anew_in_another_event_loop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: File
) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("spex.reward.bubblewrap._who", dict)  # nobody may not enter the folder
    reward = CodeReward(functions=Bubblewrap(SHORT), limits=SHORT, slots=2)

    async def main() -> None:
        await reward.open()
        many = [reward.score(asked(RIGHT, ADDS), Progress()) for _ in range(3)]
        for told in await asyncio.gather(*many, return_exceptions=True):
            assert isinstance(told, InputError)
        await reward.close()

    asyncio.run(main())
    asyncio.run(main())


@BWRAP
def test_equal_code_scores_equally_whatever_it_hashes() -> None:
    text = "print(list({'apple', 'pear', 'plum', 'fig'}))"
    assert len({score(text, (("", f"{order}"),)) for order in ["x"] * 2}) == 1
    bubblewrap = Bubblewrap(SHORT)

    async def printed() -> set[object]:
        await bubblewrap.open()
        told = [await bubblewrap.printed(text, "") for _ in range(3)]
        return {one.value for one in told if one is not None}

    assert len(asyncio.run(printed())) == 1


# What does not, and does no harm

HOSTILE = {
    "does not end": "def add(a, b):\n    while True: pass\n",
    "exits": "import sys\ndef add(a, b):\n    sys.exit(0)\n",
    "exits when it is loaded": "raise SystemExit(0)\n",
    "raises BaseException": "def add(a, b):\n    raise BaseException('no')\n",
    "recurses": "def add(a, b):\n    return add(a, b)\n",
    "prints without end": "def add(a, b):\n    while True: print('x' * 10000)\n",
    "takes all memory": "def add(a, b):\n    return 'x' * 10 ** 10\n",
    "takes all memory bit by bit": "def add(a, b):\n    found = []\n    while True: found.append('x' * 100000)\n",
    "reads a file": "def add(a, b):\n    open('/etc/passwd').read()\n    return a + b\n",
    "equals everything": "class Any:\n    def __eq__(self, other): return True\ndef add(a, b):\n    return Any()\n",
    "is no Python": "def add(a, b:\n",
    "is nested too deep": "x = " + "(" * 5000 + "1" + ")" * 5000,
    "returns what is nested too deep": "def add(a, b):\n    x = 0\n    for _ in range(99999): x = [x]\n    return x\n",
    "returns a number of many digits": "def add(a, b):\n    return 2 ** 100000\n",
    "says that it passed": "print('2 passed')\nprint('{\"passed\": true}')\ndef add(a, b):\n    print(5)\n",
    "redefines what compares": "def bool(x): return True\ndef add(a, b):\n    return None\n",
    "opens a socket": "import socket\ndef add(a, b):\n    socket.create_connection(('::1', 22))\n    return a + b\n",
    "forks without end": "import os\ndef add(a, b):\n    while True: os.fork()\n",
    "is nothing": "",
}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("where", BOTH)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_functions_score_nothing(text: str, where: str) -> None:
    assert score(text, ADDS[:1], where=where) == 0.0


PROGRAMS = {
    "leaves at once": "import os\nos._exit(0)\n",
    "ends with an error": "print(8)\nraise SystemExit(3)\n",
    "ignores signals": "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint(8, flush=True)\ntime.sleep(60)\n",
    "prints gigabytes": "while True: print('8' * 1000000)\n",
    "fills the disk": "with open('x', 'wb') as file:\n    while True: file.write(b'x' * 1000000)\n",
    "fills the disk with files": (
        "for number in range(10 ** 9):\n    with open(str(number), 'wb') as file: file.write(b'x' * 1000000)\n"
    ),
    "reads the host": "print(8 if open('/etc/hostname').read() else 0)\n",
    "reads our environment": "import os\nprint(8 if 'SPEX_SECRET' in os.environ else 0)\n",
    "sees the host's processes": "import os\nos.kill(os.getppid(), 9)\nprint(9 if os.getppid() > 99 else 0)\n",
    "finds a home": "import os\nprint(8 if os.path.exists('/root') or os.path.exists('/home') else 0)\n",
    "reaches the network": (
        "import socket\nsocket.create_connection(('127.0.0.1', int(input()) + 18), timeout=1)\nprint(8)\n"
    ),
    "changes its own tests": "open('/work/solution.py', 'w').write('')\nprint(8)\n",
    "makes a namespace": "import ctypes\nprint(8 if ctypes.CDLL(None).unshare(0x10000000) == 0 else 0)\n",
    "raises a limit": ("import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (10 ** 4, 10 ** 4))\nprint(8)\n"),
}


@BWRAP
@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_hostile_programs_score_nothing(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEX_SECRET", "canary")
    assert score(text, DOUBLES[:1]) == 0.0


@BWRAP
@pytest.mark.usefixtures("nothing_left")
def test_what_a_program_leaves_behind_ends_with_it() -> None:
    daemon = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        os.closerange(0, 99)\n        time.sleep(600)\n    os._exit(0)\nprint(8)\n"
    )
    assert score(daemon, DOUBLES[:1]) == 1.0


@BWRAP
@pytest.mark.usefixtures("nothing_left")
def test_no_more_processes_than_allowed_run_at_once() -> None:
    text = (
        "import os, time\nmade = 0\ntry:\n    while True:\n        if os.fork() == 0:\n            time.sleep(60)\n"
        "        made += 1\nexcept OSError:\n    print(made < 8, flush=True)\n    os._exit(0)\n"
    )
    assert score(text, (("", "True"),)) == 1.0


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("where", BOTH)
def test_a_cancelled_score_leaves_nothing_running_and_the_loop_is_never_held_up(where: str) -> None:
    limits = Limits(seconds=60.0)
    reward = CodeReward(functions=sandbox(where, limits), slots=2)

    async def main() -> float:
        await reward.open()
        scoring = asyncio.ensure_future(reward.score(asked(HOSTILE["does not end"], ADDS), Progress()))
        ticks = 0
        began = time.monotonic()
        while time.monotonic() < began + 0.5:
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks > 10
        assert reward.server.counters().running == 1
        scoring.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await scoring
        assert reward.server.counters().running == 0
        # What is left works on.
        assert await reward.score(asked(RIGHT, ADDS), Progress()) == (1.0,)
        await reward.close()
        return time.monotonic() - began

    assert asyncio.run(main()) < 10.0


# The doors


@pytest.mark.parametrize(("form", "name"), [("", "monty"), ("bwrap", "bwrap"), ("all", "monty,all")])
def test_a_form_names_sandbox_and_score(form: str, name: str) -> None:
    assert code(form).name == f"code:{name}"
    assert code("all,bwrap").name == "code:bwrap,all"


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(InputError, match="code:bwrap,all"):
        code("docker")


def test_without_bubblewrap_a_program_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    problem = Problem("Write it.", tests=DOUBLES)
    with pytest.raises(InputError, match="apt install bubblewrap"):
        run_sync([problem], policy=FunctionPolicy(lambda *_: "x"), reward="code", search=BestOfN(width=1))


def test_functions_in_bubblewrap_are_not_told_to_be_programs_and_the_problem_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(InputError) as caught:
        code("bwrap").check_problem(Problem("Write it.", id="p", tests=ADDS))
    assert str(caught.value).startswith("reward: problem 'p' has tests of functions, which code:bwrap runs")
    with pytest.raises(InputError, match=r"^reward: problem 'q' is a whole program, and these run in bubblewrap alone"):
        code("").check_problem(Problem("Write it.", id="q", tests=DOUBLES))


def test_a_problem_without_tests_is_refused_before_anything_starts() -> None:
    with pytest.raises(InputError, match=r"tests: problem 'p' has none"):
        run_sync([Problem("Write it.", id="p")], policy=FunctionPolicy(lambda *_: "x"), reward="code")


def test_without_monty_functions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.reward.monty_sandbox.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"spex-search\[code\]"):
        CodeReward().check_problem(Problem("Write it.", tests=ADDS))


@BWRAP
def test_bubblewrap_that_runs_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: File) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="runs no program"):
        asyncio.run(Bubblewrap(SHORT).open())


def test_an_interpreter_that_would_show_a_home_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: File) -> None:
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.touch()
    monkeypatch.setattr(sys, "_base_executable", str(python))
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert str(python) in _interpreters()
    for home in (tmp_path, tmp_path / "user"):
        monkeypatch.setenv("HOME", str(home))
        assert str(python) not in _interpreters()


@pytest.mark.parametrize("wrong", [{"seconds": 0.0}, {"memory_bytes": 1}, {"processes": 0}, {"output_bytes": True}])
def test_limits_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(InputError) as caught:
        Limits(**wrong)  # type: ignore[arg-type]
    assert caught.value.field == f"limits.{name}"


# From end to end


@BWRAP
def test_a_search_over_code_finds_the_code_that_passes() -> None:
    def policy(prompt: str, seed: int) -> str:
        return f"So:\n```python\ndef add(a, b):\n    return a {'+-*'[seed % 3]} b\n```"

    problem = Problem("Write add(a, b).", tests=ADDS)
    search = BestOfN(width=8)
    solution = solve_sync(problem, policy=FunctionPolicy(policy), task="code", reward="code:bwrap", search=search)
    assert solution.answer == "def add(a, b):\n    return a + b"
    assert solution.correct is None
