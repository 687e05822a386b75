"""An Engine of SGLang's that is made of a model: in which thread, how it is ended, what becomes of one that dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from spex.engine.base import Generation, Progress
from spex.engine.catalog import find_engine
from spex.engine.sglang_local import SglangLocal
from spex.errors import InputError, Unreachable
from spex.prompt import Prompt
from tests.engine.sglang_engine import LaunchedEngine

ENGINE = """
import asyncio
from tests.engine.sglang_engine import LaunchedEngine as Engine
asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
"""
ASKED = Generation("k", Prompt([(1, 2, 3)]), 7, ("\n\n",), 50)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that is called sglang, for as long as a test runs."""
    folder = tmp_path / "sglang" / "srt" / "entrypoints"
    folder.mkdir(parents=True)
    for place in (folder, folder.parent, folder.parent.parent):
        (place / "__init__.py").write_text("")
    (folder / "engine.py").write_text(ENGINE)
    (folder.parent / "utils.py").write_text("from tests.engine.sglang_engine import kill_process_tree")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for engine in LaunchedEngine.all_made:
        if engine.process.poll() is None:
            engine.process.kill()
            engine.process.wait()
    LaunchedEngine.all_made.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "sglang"]:
        del sys.modules[name]


def of_ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "sglang" in thread.name]


@pytest.mark.usefixtures("package")
def test_it_is_made_where_its_loop_runs_and_ended_with_its_own_processes_alone() -> None:
    """The kernel ends processes with the thread that has started them; `Engine.shutdown` ends everybody's."""
    engine = find_engine("sglang-local:some/model")
    assert engine.name == "sglang-local:some/model"
    assert "sglang.srt" not in sys.modules
    policy = asyncio.get_event_loop_policy()

    async def main() -> None:
        await engine.open()
        (made,) = LaunchedEngine.all_made
        assert asyncio.get_event_loop_policy() is policy
        assert made.thread.name in of_ours()
        assert made.loop.is_running()
        assert (await engine.generate(ASKED, Progress())).end == "delimiter"
        await engine.close()
        await engine.close()

    with subprocess.Popen(["/bin/sleep", "600"]) as other:
        asyncio.run(main())
        (made,) = LaunchedEngine.all_made
        assert made.process.poll() is not None
        assert made.stopped == ["watchdog", "sockets", "sockets"]
        assert made.loop.is_closed()
        assert not made.is_shut_down
        assert not of_ours()
        assert other.poll() is None
        other.kill()


@pytest.mark.usefixtures("package")
def test_it_is_made_anew_when_it_is_opened_again() -> None:
    engine = SglangLocal("some/model", max_running_requests=3)

    async def main() -> None:
        await engine.open()
        assert (await engine.generate(ASKED, Progress())).end == "delimiter"
        await engine.close()

    asyncio.run(main())
    asyncio.run(main())
    assert [made.process.poll() for made in LaunchedEngine.all_made] == [-signal.SIGKILL] * 2


@pytest.mark.usefixtures("package")
def test_settings_of_the_engine_may_stand_behind_its_model() -> None:
    engine = SglangLocal("some/model#tp-size=2,device=cpu,enable_mixed_chunk", max_running_requests=3)
    assert engine.name == "sglang-local:some/model#tp-size=2,device=cpu,enable_mixed_chunk"

    async def main() -> None:
        await engine.open()
        await engine.close()

    asyncio.run(main())
    told = {"tp_size": 2, "device": "cpu", "enable_mixed_chunk": True, "max_running_requests": 3}
    resolved = LaunchedEngine.all_made[0].tokenizer_manager.server_args.resolved_dict()
    assert told.items() | {("model_path", "some/model")} <= resolved.items()


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    "model", ["some/model#", "some/model#a=", "some/model#a,a", "some/model#2a=1", "#a", "m#a b=1"]
)
def test_settings_that_are_none_are_refused(model: str) -> None:
    with pytest.raises(InputError, match="behind # stand settings"):
        SglangLocal(model)


@pytest.mark.usefixtures("package")
def test_a_folder_may_have_such_a_name_itself(tmp_path: Path) -> None:
    (tmp_path / "model#2").mkdir()

    async def main() -> None:
        engine = SglangLocal(tmp_path / "model#2")
        await engine.open()
        assert str(LaunchedEngine.all_made[0].tokenizer_manager.server_args.resolved_dict()["model_path"]) == str(
            tmp_path / "model#2"
        )
        await engine.close()

    asyncio.run(main())


@pytest.mark.usefixtures("package")
def test_a_model_that_cannot_be_loaded_says_why_and_leaves_nothing() -> None:
    engine = SglangLocal("broken/model")

    async def main() -> None:
        with pytest.raises(InputError, match=r"sglang-local:broken/model.*RuntimeError: no such weights"):
            await engine.open()
        await engine.close()

    before = signal.getsignal(signal.SIGQUIT)
    asyncio.run(main())
    assert not of_ours()
    assert signal.getsignal(signal.SIGQUIT) == before


def test_a_package_that_cannot_be_imported_says_why(package: Path) -> None:
    (package / "engine.py").write_text("import no_such_kernels")

    async def main() -> None:
        with pytest.raises(InputError, match="cannot be loaded here: No module named 'no_such_kernels'"):
            await SglangLocal("some/model").open()

    asyncio.run(main())
    assert not of_ours()


def test_an_engine_of_another_node_takes_no_requests(package: Path) -> None:
    (package / "engine.py").write_text(
        ENGINE + "Made = Engine\ndef Engine(**arguments):\n    made = Made(**arguments)\n"
    )
    with (package / "engine.py").open("a") as file:
        file.write("    made.tokenizer_manager = None\n    return made\n")

    async def main() -> None:
        with pytest.raises(InputError, match="node_rank: 1 is not valid"):
            await SglangLocal("some/model", node_rank=1).open()

    asyncio.run(main())
    assert LaunchedEngine.all_made[0].is_shut_down
    assert not of_ours()


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("model", ["some/model", "broken/model"])
def test_what_is_cancelled_while_its_model_is_loaded_leaves_nothing(model: str, times: int) -> None:
    engine = SglangLocal(model, load_seconds=0.1)

    async def main() -> None:
        opening = asyncio.ensure_future(engine.open())
        for _ in range(times):
            await asyncio.sleep(0.03)
            opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    asyncio.run(main())
    assert not of_ours()
    assert all(made.process.poll() is not None for made in LaunchedEngine.all_made)


@pytest.mark.usefixtures("package")
def test_a_run_that_is_over_while_its_model_is_loaded_leaves_nothing() -> None:
    engine = SglangLocal("some/model", load_seconds=0.1)

    async def main() -> None:
        opening = asyncio.ensure_future(engine.open())
        await asyncio.sleep(0.03)
        assert not opening.done()

    asyncio.run(main())
    assert not of_ours()
    assert LaunchedEngine.all_made[0].process.poll() is not None


@pytest.mark.usefixtures("package")
def test_a_close_that_is_cancelled_ends_it_all_the_same() -> None:
    engine = SglangLocal("some/model")

    async def main() -> None:
        await engine.open()
        closing = asyncio.ensure_future(engine.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert not of_ours()

    asyncio.run(main())
    assert LaunchedEngine.all_made[0].process.poll() is not None


@pytest.mark.usefixtures("package")
def test_who_waits_while_the_model_is_loaded_is_not_cancelled_with_who_came_first() -> None:
    engine = SglangLocal("some/model", load_seconds=0.1)

    async def main() -> None:
        first, second = asyncio.ensure_future(engine.open()), asyncio.ensure_future(engine.open())
        await asyncio.sleep(0.03)
        first.cancel()
        await second
        assert first.cancelled()
        assert (await engine.generate(ASKED, Progress())).end == "delimiter"
        await engine.close()

    asyncio.run(main())
    assert len(LaunchedEngine.all_made) == 1
    assert not of_ours()


@pytest.mark.usefixtures("package")
def test_the_death_of_its_process_is_told_to_who_waits_and_ends_nothing_else() -> None:
    """SGLang tells it by SIGQUIT, which would end this process."""
    engine = SglangLocal("some/model")
    before = signal.getsignal(signal.SIGQUIT)

    async def main() -> None:
        await engine.open()
        (made,) = LaunchedEngine.all_made
        made.tokenizer_manager.mute = True
        writing = asyncio.ensure_future(engine.generate(ASKED, Progress()))
        await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGQUIT)
        with pytest.raises(Unreachable, match="has died"):
            await writing
        with pytest.raises(Unreachable, match="has died"):
            await engine.recheck()
        assert engine.counters().running == 0
        await engine.close()
        await engine.open()
        assert (await engine.generate(ASKED, Progress())).end == "delimiter"
        await engine.close()

    asyncio.run(main())
    assert signal.getsignal(signal.SIGQUIT) == before
    assert not of_ours()


@pytest.mark.usefixtures("package")
def test_in_another_thread_it_takes_no_signal_and_works_as_well() -> None:
    before = signal.getsignal(signal.SIGQUIT)
    seen: list[object] = []

    async def main() -> None:
        engine = SglangLocal("some/model")
        await engine.open()
        seen.append(signal.getsignal(signal.SIGQUIT))
        seen.append((await engine.generate(ASKED, Progress())).end)
        await engine.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    thread.join()
    assert seen == [before, "delimiter"]


@pytest.mark.usefixtures("package")
def test_whoever_was_told_of_the_signal_before_is_told_still() -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGQUIT, lambda number, frame: told.append(number))

    async def main() -> None:
        engine = SglangLocal("some/model")
        await engine.open()
        os.kill(os.getpid(), signal.SIGQUIT)
        await engine.close()

    try:
        asyncio.run(main())
        assert told == [signal.SIGQUIT]
    finally:
        signal.signal(signal.SIGQUIT, before)


@pytest.mark.usefixtures("package")
def test_processes_that_do_not_end_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SglangLocal("some/model")

    async def main() -> None:
        await engine.open()
        monkeypatch.setattr(LaunchedEngine, "get_all_child_pids", lambda made: 1 / 0)
        with pytest.raises(Unreachable, match="it cannot be ended: division by zero"):
            await engine.close()

    asyncio.run(main())
    assert not of_ours()
