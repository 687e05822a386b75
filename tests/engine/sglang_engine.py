"""A stand-in for SGLang's `Engine`: its surface, its ties to one event loop, and faults that a real one seldom has."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any, ClassVar

TEXT = "one two three four five\n\n"
INFO: dict[str, Any] = {
    "is_embedding": False,
    "enable_deterministic_inference": True,
    "dp_size": 1,
    "model_path": "models/some",
}
NAME, NAMED = "<|end|>", 7


class State:
    """One request of the engine's."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.dispatched = False
        self.aborted = False
        self.written = ""
        self.come: list[dict[str, Any]] = []
        self.event = asyncio.Event()


class Tokenizer:
    """A token is a character, but for one control token."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [NAMED if part == NAME else ord(part) for part in _parted(text)]

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        return "".join(("" if skip_special_tokens else NAME) if token == NAMED else chr(token) for token in ids)

    def apply_chat_template(self, turns: list[dict[str, str]], **options: Any) -> list[int]:
        assert (options["tokenize"], options["add_generation_prompt"], options["return_dict"]) == (True, True, False)
        if turns[0]["role"] == "system":
            raise ValueError("no system, please")
        said = "".join(f"{turn['role']}:{turn['content']}{NAME}" for turn in turns)
        return self.encode(said + ("think" if options.get("enable_thinking") else "say"))


def _parted(text: str) -> list[str]:
    parts: list[str] = []
    while text:
        part = NAME if text.startswith(NAME) else text[0]
        parts.append(part)
        text = text[len(part) :]
    return parts


class Manager:
    """Answers on the loop that has first asked it, as SGLang's tokenizer manager does, and on no other."""

    def __init__(self, info: dict[str, Any]) -> None:
        self.pace_seconds = 0.001
        self.event_loop: asyncio.AbstractEventLoop | None = None
        self.asyncio_tasks: set[asyncio.Task[None]] = set()
        self.rid_to_state: dict[str, State] = {}
        self.tokenizer: Any = Tokenizer()
        self.max_req_input_len = 100
        self.model_path = "models/some"
        self.server_args = SimpleNamespace(resolved_dict=lambda: info)
        self.paused = False
        self.deaf = False
        self.mute = False
        self.abort_delay_seconds = 0.0
        self.asked: list[dict[str, Any]] = []
        self.aborts: list[str] = []
        self.spoil: Callable[[dict[str, Any]], Any] = lambda answer: answer
        self.error: Exception | None = None
        self.finish: dict[str, Any] | None = None
        self.recv_from_detokenizer: Any = None
        self._subprocess_watchdog: Any = None

    async def get_internal_state(self) -> list[dict[str, int]]:
        self._begin()
        return [{"effective_max_running_requests_per_dp": 7}]

    def abort_request(self, rid: str) -> None:
        self.aborts.append(rid)
        state = self.rid_to_state.get(rid)
        if state is not None and not self.deaf:
            asyncio.get_running_loop().call_later(self.abort_delay_seconds, setattr, state, "aborted", True)

    def _begin(self) -> None:
        if self.event_loop is None:
            self.event_loop = asyncio.get_running_loop()
            self.asyncio_tasks.add(self.event_loop.create_task(self._serve()))

    async def _serve(self) -> None:
        while True:
            await asyncio.sleep(self.pace_seconds)
            for rid, state in list(self.rid_to_state.items()):
                if state.dispatched and not self.mute:
                    self._go_on(rid, state)

    def _go_on(self, rid: str, state: State) -> None:
        sampling = state.body["sampling_params"]
        begun = len(state.body["input_ids"]) - 3
        if len(state.written) < sampling["max_new_tokens"]:
            state.written += TEXT[begun + len(state.written)]
        finish: dict[str, Any] | None = None
        if state.aborted:
            finish = {"type": "abort", "message": "Aborted"}
        elif TEXT.endswith(state.written) and state.written.endswith("\n\n"):
            finish = {"type": "stop", "matched": "\n\n"}
        elif len(state.written) == sampling["max_new_tokens"]:
            finish = {"type": "length", "length": len(state.written)}
        elif self.finish and len(state.written) == 3:
            finish = self.finish
        if finish:
            del self.rid_to_state[rid]
        state.come.append(self.spoil(self._answer(state, finish)))
        state.event.set()

    def _answer(self, state: State, finish: dict[str, Any] | None) -> dict[str, Any]:
        ids = list(map(ord, state.written))
        labels = [(-1.0 - label, label, None) for label in state.body.get("token_ids_logprob", ())]
        asked = state.body["input_ids"]
        meta = {
            "completion_tokens": len(ids),
            "cached_tokens": 1,
            "prompt_tokens": len(asked),
            "output_token_logprobs": [(-0.5, token, None) for token in ids],
            "output_token_ids_logprobs": [labels],
            "input_token_logprobs": [(None, asked[1], None), *((-2.0, token, None) for token in asked[2:])],
            "finish_reason": finish,
        }
        return {"text": state.written, "output_ids": ids, "meta_info": meta}

    async def _admitted(self) -> None:
        while self.paused:  # noqa: ASYNC110  # an engine on a real clock
            await asyncio.sleep(0.001)
        if self.error is not None:
            raise self.error

    async def generate_request(self, body: dict[str, Any]) -> AsyncGenerator[Any, None]:
        self._begin()
        rid, stream = body["rid"], body.get("stream")
        assert rid not in self.rid_to_state
        self.asked.append(body)
        state = self.rid_to_state[rid] = State(body)
        try:
            await self._admitted()
            state.dispatched = True
            finished = False
            while not finished:
                await state.event.wait()
                state.event.clear()
                answer, state.come = state.come[-1], []
                finished = rid not in self.rid_to_state
                if stream or finished:
                    yield answer
        except BaseException:
            if state.dispatched:
                self.abort_request(rid)
            else:
                del self.rid_to_state[rid]
            raise


class FakeEngine:
    """As `sglang.Engine`, of one request at a time and of texts in batches."""

    def __init__(self, info: dict[str, Any] = INFO) -> None:
        self.loop = asyncio.new_event_loop()
        self.moves_here = False
        self.tokenizer_manager = Manager(info)
        self.template_manager = SimpleNamespace(chat_template_name=None)
        self.is_shut_down = False

    async def async_generate(self, **body: Any) -> Any:
        answers = self.tokenizer_manager.generate_request(body)
        return answers if body.get("stream") else await anext(answers)

    def generate(self, **body: Any) -> Any:
        """As the user of an engine asks it, when there is no loop of his own."""
        return self.loop.run_until_complete(self.async_generate(**body))

    def shutdown(self) -> None:
        self.is_shut_down = True


class LaunchedEngine(FakeEngine):
    """One that has started a process, as those do that are made of a model."""

    all_made: ClassVar[list[LaunchedEngine]] = []

    def __init__(self, model_path: str, load_seconds: float = 0.0, **arguments: Any) -> None:
        time.sleep(load_seconds)
        if "broken" in model_path:
            raise RuntimeError("no such weights")
        super().__init__(INFO | {"model_path": model_path} | arguments)
        self.thread = threading.current_thread()
        self.loop.close()
        self.loop = asyncio.get_event_loop_policy().get_event_loop()
        self.process = subprocess.Popen(["/bin/sleep", "600"])
        self.stopped: list[str] = []
        self.send_to_rpc = self.tokenizer_manager.recv_from_detokenizer = self._socket()
        self.tokenizer_manager._subprocess_watchdog = SimpleNamespace(stop=lambda: self.stopped.append("watchdog"))
        LaunchedEngine.all_made.append(self)

    def _socket(self) -> Any:
        return SimpleNamespace(context=SimpleNamespace(destroy=lambda linger: self.stopped.append("sockets")))

    def get_all_child_pids(self) -> list[int]:
        return [self.process.pid]


def kill_process_tree(process: int) -> None:
    """As SGLang has it: it waits until the process is gone."""
    os.kill(process, signal.SIGKILL)
    (engine,) = (engine for engine in LaunchedEngine.all_made if engine.process.pid == process)
    engine.process.wait()
