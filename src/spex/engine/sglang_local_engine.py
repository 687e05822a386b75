"""SGLang's `Engine`: one that the user has, or one that is made of a model here, and ended here.

Of the inside of SGLang 0.5.23 this knows the tokenizer manager's loop and its tasks on it, and how an `Engine` is
ended: its own processes alone, where `Engine.shutdown` ends all that this process has started, other engines too.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing import active_children
from typing import Any

import msgspec

from spex.engine.sglang_told import Info
from spex.errors import InputError, Misbehaving

_INSTALL = "it needs the package sglang in this environment: pip install sglang (see its guide for your GPU)"
_JOIN_SECONDS = 10.0
_TAKEN = "it is open in this process already: give the same engine as policy and as reward"


class Given:
    """An engine that the user has, and ends. Its loop is run here where nobody runs it."""

    def __init__(self, name: str, engine: Any) -> None:
        self.thread_name: str = f"spex-sglang-{id(engine):x}"
        self._name = name
        self._engine = engine
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began = False

    @property
    def running_loop(self) -> asyncio.AbstractEventLoop | None:
        """Raises `InputError` where it is another one of ours who runs it."""
        if any(thread.name == self.thread_name for thread in threading.enumerate()):
            raise InputError("engine", self._name, _TAKEN)
        loop = self._found()
        return loop if loop is not None and loop.is_running() else None

    def made(self) -> tuple[Any, asyncio.AbstractEventLoop]:
        manager, found = self._engine.tokenizer_manager, self._found()
        if manager.event_loop is not None and manager.event_loop.is_closed():
            manager.event_loop = None  # of an `asyncio.run` that is over: the next request begins anew
        self._began = manager.event_loop is None
        self._loop = found or asyncio.new_event_loop()
        return self._engine, self._loop

    def ended(self) -> None:
        if self._began and self._loop is not None:  # whoever asks next, on whatever loop, begins anew, too
            _let_go(self._engine.tokenizer_manager, self._loop)
        if self._loop is not None and self._loop is not self._found():
            _close(self._loop)

    def _found(self) -> asyncio.AbstractEventLoop | None:
        """The loop that it has; None where that is closed."""
        found = (self._engine.tokenizer_manager.event_loop, self._engine.loop)
        return next((loop for loop in found if loop is not None and not loop.is_closed()), None)


class Made:
    """An engine that is made of a model: a folder, or a name that SGLang fetches. arguments: of SGLang's `Engine`."""

    thread_name: str = "spex-sglang"
    running_loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, name: str, model: str, arguments: Mapping[str, object]) -> None:
        """Raises `InputError` where SGLang is not installed. It is not loaded yet."""
        if find_spec("sglang") is None:
            raise InputError("policy", name, _INSTALL)
        self._name = name
        self._model = model
        self._arguments = dict(arguments)
        self._engine: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def made(self) -> tuple[Any, asyncio.AbstractEventLoop]:
        make = self._engine_class()
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        try:
            self._engine = make(model_path=self._model, **self._arguments)
            self._check()
        except (Exception, SystemExit) as error:
            _close(self._loop)
            if isinstance(error, InputError):
                raise
            told = f"SGLang cannot load it: {type(error).__name__}: {error}"
            raise InputError("policy", self._name, told) from error
        return self._engine, self._loop

    def ended(self) -> None:
        engine, loop = self._engine, self._loop
        self._engine = self._loop = None
        if engine is not None and loop is not None:
            try:
                _end(engine)
            finally:
                _let_go(engine.tokenizer_manager, loop)
                _close(loop)

    def _check(self) -> None:
        if self._engine.tokenizer_manager is None:
            self._engine.shutdown()
            raise InputError("node_rank", self._arguments.get("node_rank"), "requests go to the first node, 0, alone")

    def _engine_class(self) -> Any:
        policy = asyncio.get_event_loop_policy()
        try:
            from sglang.srt.entrypoints.engine import Engine  # noqa: PLC0415  # seconds, and torch: when it is needed
        except ImportError as error:
            told = f"the package sglang cannot be loaded here: {error}"
            raise InputError("policy", self._name, told) from error
        finally:
            asyncio.set_event_loop_policy(policy)  # SGLang sets uvloop's, for all of this process
        return Engine


async def info_of(engine: Any, name: str) -> Info:
    """What the engine says of itself, as a server of it would. Runs on its loop. Raises `Misbehaving`."""
    manager = engine.tokenizer_manager
    told = {
        **manager.server_args.resolved_dict(),
        "max_req_input_len": manager.max_req_input_len,
        "internal_states": await manager.get_internal_state(),
        "version": _version(),
    }
    try:
        return msgspec.convert(told, Info)
    except msgspec.ValidationError as error:
        raise Misbehaving(name, f"what an Engine of SGLang 0.5.23 or newer says of itself ({error})", told) from error


def _version() -> str:
    try:
        return version("sglang")
    except PackageNotFoundError:
        return ""


def _end(engine: Any) -> None:
    """End the processes of an engine, and its sockets. Raises `RuntimeError` of processes that do not end."""
    from sglang.srt.utils import kill_process_tree  # noqa: PLC0415  # it is loaded

    atexit.unregister(engine.shutdown)
    manager = engine.tokenizer_manager
    if manager._subprocess_watchdog is not None:  # noqa: SLF001  # it would take their end for an accident
        manager._subprocess_watchdog.stop()  # noqa: SLF001
    own = set(engine.get_all_child_pids())
    for process in own:
        kill_process_tree(process)
    for child in active_children():
        if child.pid in own:
            child.join(_JOIN_SECONDS)  # else its number stays taken until somebody asks how it ended
    for socket in (engine.send_to_rpc, manager.recv_from_detokenizer):
        socket.context.destroy(linger=0)


def _let_go(manager: Any, loop: asyncio.AbstractEventLoop) -> None:
    """End what the tokenizer manager does on a loop that runs no more: another one may begin it again."""
    tasks = [task for task in manager.asyncio_tasks if task.get_loop() is loop]
    _end_tasks(loop, tasks)
    manager.asyncio_tasks.difference_update(tasks)
    manager.event_loop = None


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End all that is on a loop that runs no more, and close it."""
    _end_tasks(loop, list(asyncio.all_tasks(loop)))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def _end_tasks(loop: asyncio.AbstractEventLoop, tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
