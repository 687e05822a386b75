"""PRMs with a score head, against servers with the manners of vLLM's /pooling and SGLang's /classify."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from math import exp
from typing import Any

import pytest
import stamina

from spex.engine.abilities import load_of
from spex.engine.base import Progress, Scoring
from spex.engine.http import Deadlines
from spex.engine.server_tokens import cut_within
from spex.errors import InputError, LogMismatch, Misbehaving, Overloaded, SpexError, Unreachable
from spex.record import MemoryLog
from spex.reward.head_tokens import text_tokens
from spex.reward.prm_form import HeadForm
from spex.reward.recorded import RecordedReward
from spex.reward.score_head import ScoreHead
from spex.usage import Tokens
from tests.engine.listening import listening
from tests.reward.paths import path, request

CONTROL = {"<|im_start|>": 1, "<|im_end|>": 2, "<tag>": 3}
PAIRS = {"fra": 900, "ss": 901}
"""Tokens of several characters that are ordinary ones."""
TAGGED = HeadForm("tagged", opening="<|im_start|>{problem}<|im_end|>", tag="<tag>", outputs=2, good=1)
LINES = HeadForm("lines", logits=True)
WHOLE = HeadForm("whole", tag="", between="\n", closing="<|im_end|>", every=False, logits=True)

Spoil = Callable[[Any], Any]


def tokenized(text: str) -> list[int]:
    """A character a token, and one for each name of a control token."""
    return [token for _, token in spelled(text)]


def spelled(text: str) -> list[tuple[str, int]]:
    for name, token in CONTROL.items():
        before, found, after = text.partition(name)
        if found:
            return [*spelled(before), (name, token), *spelled(after)]
    parts = re.findall(r"ff|fra|ssss|ss|.", text, re.DOTALL)  # what is doubled is read otherwise
    return [
        pair
        for part in parts
        for pair in ([(part, PAIRS[part])] if part in PAIRS else [(letter, 100 + ord(letter)) for letter in part])
    ]


class Server:
    """Gives 0 to 1 at a token by all that stands before it; `pools` chooses the tokens."""

    def __init__(self, pools: str = "step", outputs: int = 2) -> None:
        self.pools = pools
        self.outputs = outputs
        self.asked: list[list[int]] = []
        self.spoil: Spoil = lambda answer: answer
        self.spoilt_from = 3  # the first two are the small known problem
        self.status = "200 OK"
        self.hangs = False
        self.places: list[tuple[str, object]] = []
        self.varies = False
        self.tells_names = True
        self.model: object = "/models/prm"
        self.full_times = 0
        self.busy_at = 0
        self.rids: list[str | None] = []
        self.running: dict[str, asyncio.Event] = {}
        self.aborts: list[str] = []
        self.deaf_times = 0
        self.loads: object = {"loads": [{"num_running_reqs": 2, "num_waiting_reqs": 3}]}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("GET "):
            await self.tell(head.split()[1], writer)
            return
        length = next(line[15:] for line in head.splitlines() if line.lower().startswith("content-length:"))
        body = json.loads(await reader.readexactly(int(length)))
        where = head.split()[1]
        self.places.append((where, body.get("model")))
        if where.endswith("/tokenize"):
            words = spelled(body["prompt"])
            strs = [word for word, _ in words] if body.get("return_token_strs") and self.tells_names else None
            ids = [token for _, token in words]
            await self.say(writer, {"tokens": ids, "token_strs": strs, "count": 1, "max_model_len": 4096})
            return
        if where.endswith("/detokenize"):
            names = {token: name for name, token in (CONTROL | PAIRS).items()}
            kept = [token for token in body["tokens"] if not body.get("skip_special_tokens") or token >= 100]
            said = "".join(names.get(token) or chr(token - 100) for token in kept)
            await self.say(writer, {"text": said, "prompt": said})
            return
        if where == "/abort_request":
            await self.abort(body["rid"], writer)
            return
        ids = body["input"] if where == "/pooling" else body["input_ids"]
        self.asked.append(ids)
        self.rids.append(body.get("rid"))
        if self.hangs and len(self.asked) >= self.spoilt_from:
            await self.hang(reader, body.get("rid"))
        if len(self.asked) == self.busy_at:
            await self.say(writer, [], "429 Too Many Requests")
            return
        answer = self.answer(where, ids)
        await self.say(writer, self.spoil(answer) if len(self.asked) >= self.spoilt_from else answer)

    async def hang(self, reader: asyncio.StreamReader, rid: str | None) -> None:
        """Until it is aborted; SGLang does not look whether who asked is still there."""
        if rid is None:
            await reader.read()
            return
        self.running[rid] = asyncio.Event()
        await self.running[rid].wait()
        del self.running[rid]

    async def abort(self, rid: str, writer: asyncio.StreamWriter) -> None:
        self.aborts.append(rid)
        for begun, event in self.running.items():
            if begun.startswith(rid) and len(self.aborts) > self.deaf_times:
                event.set()
        await self.say(writer, "")

    async def tell(self, where: str, writer: asyncio.StreamWriter) -> None:
        answers: dict[str, object] = {
            "/v1/models": {"data": [{"id": "large", "root": self.model}]},
            "/version": {"version": "0.32.0"},
            "/v1/loads?include=core": self.loads,
            "/server_info": {"version": "0.5.23", "model_path": self.model, "is_embedding": True},
        }
        if self.full_times and where in ("/v1/models", "/server_info"):
            self.full_times -= 1
            await self.say(writer, [], "503 Service Unavailable")
            return
        await self.say(writer, answers.get(where, []), "404 Not Found" if answers.get(where) is None else "")

    def answer(self, where: str, ids: list[int]) -> dict[str, Any]:
        if where == "/classify":
            return {"embedding": self.numbers(ids), "meta_info": {"id": "x", "prompt_tokens": len(ids)}}
        places = range(len(ids)) if self.pools == "all" else [place for place, token in enumerate(ids) if token == 3]
        rows = [self.numbers(ids[: place + 1]) for place in places]
        usage = {"prompt_tokens": len(ids), "total_tokens": len(ids)}
        return {"id": "pool-1", "object": "list", "model": "m", "data": [{"index": 0, "data": rows}], "usage": usage}

    def numbers(self, read: list[int]) -> list[float]:
        share = chance(read)
        if self.varies:  # with the request's length, as on a GPU
            share *= 1.0 - 1e-3 * (len(self.asked[-1]) % 7)
        return [share] if self.outputs == 1 else [1.0 - share, share]

    async def say(self, writer: asyncio.StreamWriter, value: object, status: str = "") -> None:
        text = json.dumps(value).encode()
        status = status or (self.status if len(self.asked) >= self.spoilt_from else "200 OK")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
        await writer.drain()


def chance(read: list[int]) -> float:
    return sum(number * token for number, token in enumerate(read, start=1)) % 997 / 1000


@asynccontextmanager
async def head_of(server: Server, form: HeadForm, kind: str = "vllm") -> AsyncIterator[ScoreHead]:
    async with listening(server.serve) as url:
        head = ScoreHead(f"{kind}:{url}", form, deadlines=Deadlines(first_token=5.0))
        await head.open()
        try:
            yield head
        finally:
            await head.close()


def told(server: Server, form: HeadForm, asked: Scoring, kind: str = "vllm") -> tuple[float, ...]:
    async def main() -> tuple[float, ...]:
        async with head_of(server, form, kind) as head:
            return await head.score(asked, Progress())

    return asyncio.run(main())


def laid(text: str) -> list[int]:
    return tokenized(text)


def test_the_score_of_a_path_is_the_one_at_its_last_tag() -> None:
    server = Server()
    whole = laid("<|im_start|>Add 2 and 3.<|im_end|>One.<tag>Two.<tag>")
    assert told(server, TAGGED, request(path("One.\n\n", "Two."))) == (chance(whole),)
    assert server.asked[-1] == whole


def test_a_server_may_give_numbers_for_every_token() -> None:
    asked = request(path("One.", "Two."))
    assert told(Server("all"), TAGGED, asked) == told(Server(), TAGGED, asked)


def test_a_path_is_asked_for_once_and_what_is_said_there_of_its_earlier_steps_is_not_kept() -> None:
    async def main() -> None:
        server = Server()
        async with head_of(server, TAGGED) as head:
            steps = ["One.", "Two.", "Three."]
            progress = Progress()
            last = await head.score(request(path(*steps)), progress)
            assert progress.cost == Tokens(reward=len(server.asked[-1]))
            earlier = [await head.score(request(path(*steps[:count])), progress) for count in (1, 2, 3)]
            assert earlier[-1] == last
            assert len(server.asked) == 5
            assert progress.cost == head.server.counters().cost.plus(Tokens(reward=-sum(map(len, server.asked[:2]))))
            alone = Server()
            async with head_of(alone, TAGGED) as other:
                one_by_one = [await other.score(request(path(*steps[:count])), Progress()) for count in (1, 2, 3)]
            assert one_by_one == earlier

    asyncio.run(main())


@pytest.mark.parametrize("longer_first", [False, True])
def test_a_paths_score_does_not_depend_on_what_was_asked_for_before(longer_first: bool) -> None:
    shorter, longer = request(path("One.")), request(path("One.", "Two."))

    async def main() -> dict[str, tuple[float, ...]]:
        server = Server()
        server.varies = True
        async with head_of(server, TAGGED) as head:
            order = [longer, shorter] if longer_first else [shorter, longer]
            return {asked.digest: await head.score(asked, Progress()) for asked in order}

    def alone(asked: Scoring) -> tuple[float, ...]:
        server = Server()
        server.varies = True
        return told(server, TAGGED, asked)

    assert asyncio.run(main()) == {asked.digest: alone(asked) for asked in (shorter, longer)}


@pytest.mark.parametrize("suffix", ["", "/v1", "/v1/", "#large", "/v1#large"])
def test_a_base_address_will_do_and_a_model_is_named_in_every_request(suffix: str) -> None:
    async def main() -> None:
        server = Server()
        async with listening(server.serve) as url:
            head = ScoreHead(f"vllm:{url}{suffix}", TAGGED)
            await head.open()
            await head.close()
        model = "large" if suffix.endswith("#large") else None
        assert set(server.places) == {("/tokenize", model), ("/pooling", model)}

    asyncio.run(main())


@pytest.mark.parametrize(("kind", "form"), [("vllm", TAGGED), ("sglang", WHOLE)])
def test_a_log_of_another_models_scores_is_refused(kind: str, form: HeadForm) -> None:
    async def main() -> None:
        server, log = Server(outputs=form.outputs), MemoryLog()
        async with listening(server.serve) as url:
            for _ in range(2):
                recorded = RecordedReward(ScoreHead(f"{kind}:{url}", form), log)
                await recorded.open()
                await recorded.close()
            server.model = "/models/other"
            with pytest.raises(LogMismatch, match=r"'/models/prm', and .* now has '/models/other'"):
                await RecordedReward(ScoreHead(f"{kind}:{url}", form), log).open()

    asyncio.run(main())


@pytest.mark.parametrize("other", ["/models/other", "/models/prm"])
@pytest.mark.parametrize(("kind", "form"), [("vllm", TAGGED), ("sglang", WHOLE)])
def test_a_server_that_failed_is_asked_whether_its_model_is_the_same(
    kind: str, form: HeadForm, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spex.reward.head_server.repeated", lambda ask, _progress=None, **_: ask())

    async def main() -> None:
        server = Server(outputs=form.outputs)
        async with head_of(server, form, kind) as head:
            server.status, server.model = "500 Internal Server Error", other
            with pytest.raises(Unreachable):
                await head.score(request(path("One.")), Progress())
            server.status, asked = "200 OK", len(server.asked)
            if other == "/models/prm":
                assert len(await head.score(request(path("Two.")), Progress())) == 1
                return
            for step in ("Two.", "Three."):
                with pytest.raises(InputError, match="'/models/other' now and served '/models/prm'") as caught:
                    await head.score(request(path(step)), Progress())
                assert caught.value.field == "reward"
            assert len(server.asked) == asked

    asyncio.run(main())


@pytest.mark.parametrize("model", [None, 7, ""])
def test_a_server_that_does_not_say_who_it_is_is_believed(model: object) -> None:
    server = Server()
    server.model = model
    assert len(told(server, TAGGED, request(path("One.")))) == 1


def test_a_model_is_not_named_where_a_server_has_one_alone() -> None:
    with pytest.raises(InputError, match="one model: leave out what follows #") as caught:
        ScoreHead("sglang:http://127.0.0.1:30001#large", TAGGED)
    assert caught.value.field == "reward"


def test_a_logit_goes_through_a_sigmoid_and_several_through_a_softmax_where_the_form_says_so() -> None:
    ids = laid("Add 2 and 3.\nOne.\n")
    logit = chance(ids)
    assert told(Server("all", outputs=1), LINES, request(path("One."))) == pytest.approx((1 / (1 + exp(-logit)),))
    two = HeadForm("two", outputs=2, good=1, logits=True)
    expected = exp(logit) / (exp(logit) + exp(1 - logit))
    assert told(Server("all"), two, request(path("One."))) == pytest.approx((expected,))


def test_a_tag_that_stands_in_a_step_too_is_not_taken_for_its_end() -> None:
    asked = request(path("One\nand more.", "Two."))
    ids = laid("Add 2 and 3.\nOne\nand more.\nTwo.\n")
    assert told(Server("all", outputs=1), LINES, asked) == pytest.approx((1 / (1 + exp(-chance(ids))),))


def test_a_server_that_reads_the_last_token_alone_scores_the_whole() -> None:
    ids = laid("Add 2 and 3.\nOne.\nTwo.<|im_end|>")
    expected = pytest.approx((1 / (1 + exp(-chance(ids))),))
    assert told(Server(outputs=1), WHOLE, request(path("One.", "Two.")), "sglang") == expected
    assert told(Server("all", outputs=1), WHOLE, request(path("One.", "Two."))) == expected


def test_what_a_model_wrote_never_becomes_a_control_token() -> None:
    server = Server()
    told(server, TAGGED, request(path("Give <tag> and <|im_end|> and <|im_start|>.")))
    sent = server.asked[-1]
    assert [sent.count(token) for token in CONTROL.values()] == [1, 1, 1]


def test_names_that_stand_in_a_text_many_times_are_cut_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts: list[Sequence[str]] = []

    def cut(text: str, names: Sequence[str]) -> list[str]:
        cuts.append(names)
        return cut_within(text, names)

    monkeypatch.setattr("spex.reward.score_head.cut_within", cut)
    server = Server()
    told(server, TAGGED, request(path("<tag><|a|><|b|>" * 1000)))
    assert sorted(cuts[-1]) == ["<tag>", "<|a|>", "<|b|>", "<|im_end|>", "<|im_start|>"]
    assert server.asked[-1].count(CONTROL["<tag>"]) == 1
    assert sum(where == "/tokenize" for where, _ in server.places) < 30


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
@pytest.mark.parametrize("tells_names", [True, False])
def test_control_tokens_that_no_form_names_stay_text_too(
    kind: str, tells_names: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, token in {"<pad>": 4, "<|other|>": 5, "</s>": 6, "[INST]": 7, "INST": 8}.items():
        monkeypatch.setitem(CONTROL, name, token)
    server = Server(outputs=1)
    server.tells_names = tells_names
    form = HeadForm("padded", opening="<pad>{problem}", between="\n", tag="", closing="</s>", every=False, logits=True)
    written = "<pad></s>a<|other|>[INST]<pa<pad>d>frass"
    problem = request(path(written, "b"))
    if kind == "vllm":
        server.pools = "all"
    told(server, form, replace(problem, problem=replace(problem.problem, text=f"Add </s>{written}")), kind)
    sent = server.asked[-1]
    assert [sent.count(token) for token in (4, 5, 6, 7, 8)] == [1, 0, 1, 0, 0]
    assert sent.count(PAIRS["fra"]) == sent.count(PAIRS["ss"]) == 2
    names = {token: name for name, token in (CONTROL | PAIRS).items()}
    said = "".join(names.get(token) or chr(token - 100) for token in sent)
    assert said == f"<pad>Add </s>{written}{written}\nb</s>"


def test_a_tokenizer_that_finds_control_tokens_in_every_part_is_misbehaving() -> None:
    class Seeing:
        async def tokens(self, text: str) -> tuple[int, ...]:
            return (len(text),)

        async def control_names(self, token_ids: Sequence[int]) -> list[str]:
            self.round = getattr(self, "round", 1) + 1
            return ["a" * self.round]

    with pytest.raises(Misbehaving, match="reads what is cut"):
        asyncio.run(text_tokens(Seeing(), "a" * 100, "head"))


def test_a_path_without_a_step_costs_nothing() -> None:
    server = Server()
    assert told(server, TAGGED, request(path(), path(" \n"))) == (0.5, 0.5)
    assert len(server.asked) == 2


def change(key: str, value: object) -> Spoil:
    def spoil(answer: Any) -> Any:
        answer["data"][0]["data"] = value if key == "rows" else answer["data"][0]["data"]
        answer["usage"]["prompt_tokens"] += value if key == "tokens" else 0
        return answer

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        change("rows", [[0.5, 0.5]]),
        change("rows", [[0.5, 0.5]] * 3),
        change("rows", []),
        change("rows", [[0.5, 0.5], [0.5, 0.4]]),
        change("rows", [[0.5, 0.5], [1.5, -0.5]]),
        change("rows", [[0.5, 0.5], [float("nan"), 0.5]]),
        change("rows", [[0.5, 0.5], [0.1, 0.2, 0.7]]),
        change("rows", [[0.5, 0.5], []]),
        change("rows", [0.5, 0.5]),
        change("rows", "AAAA"),
        change("tokens", -1),
        lambda answer: {"object": "error", "message": "no such task"},
        lambda answer: {**answer, "data": []},
        lambda answer: {**answer, "data": answer["data"] * 2},
        lambda answer: [],
    ],
)
def test_an_answer_that_cannot_be_right_is_misbehaving(spoil: Spoil) -> None:
    server = Server()
    server.spoil = spoil
    with pytest.raises(Misbehaving, match=r"\?.*, for problem 'sum-7', step 2|, for problem 'sum-7', step 2 \(.*\?"):
        told(server, TAGGED, request(path("One.", "Two.")))


def test_a_number_that_is_none_is_told_with_what_helps_against_it() -> None:
    server = Server("all", outputs=1)
    server.spoil = change("rows", [[float("nan")]] * 25)
    with pytest.raises(Misbehaving, match=r"step 2 \(do its numbers overflow\? serve it in bfloat16 or float32"):
        told(server, LINES, request(path("One.", "Two.")))


def test_what_is_wrong_names_problem_and_step() -> None:
    server = Server()
    server.spoil = change("rows", [[0.5, 0.5]])
    with pytest.raises(
        Misbehaving,
        match=r"2 scores, one for each step, for problem 'sum-7', step 2 \(is it the model that is meant, laid out in "
        r"its form\? `spex prm NAME` prints how it is served\), got '1 of them'",
    ):
        told(server, TAGGED, request(path("One.", "Two.")))


def test_where_scores_are_read_at_another_token_it_says_by_which_flag_that_is_changed() -> None:
    server = Server()
    server.spoil = change("rows", [])
    how = (
        "one for each step (does it look for another tag? vLLM: --pooler-config.step_tag_id"
        f" {CONTROL['<tag>']}), for problem 'sum-7', step 2, got"
    )
    with pytest.raises(Misbehaving, match=re.escape(how)):
        told(server, TAGGED, request(path("One.", "Two.")))


@pytest.mark.parametrize(
    ("form", "rows", "wanted"),
    [
        (TAGGED, [[0.5, 0.5]], "one for each step, for problem 'sum-7', step 2 "),
        (WHOLE, [], "a score at the last token, for a small known problem "),
        (replace(WHOLE, tag="\n"), [], "a score at the last token, for a small known problem "),
    ],
)
def test_where_another_tag_would_change_nothing_it_names_no_flag(
    form: HeadForm, rows: list[list[float]], wanted: str
) -> None:
    server = Server()
    server.spoil = change("rows", rows)
    with pytest.raises(Misbehaving, match=wanted):
        told(server, form, request(path("One.", "Two.")))


def test_constant_scores_are_found_when_it_is_opened() -> None:
    server = Server()
    server.spoilt_from = 0
    server.spoil = lambda answer: {**answer, "data": [{"index": 0, "data": [[0.5, 0.5]] * 2}]}
    with pytest.raises(Misbehaving, match="another score for a right solution"):
        told(server, TAGGED, request(path("One.")))


def test_a_head_that_errs_about_what_its_form_says_that_it_knows_is_misbehaving() -> None:
    form = replace(TAGGED, known=("1 + 1", ("It is 2.",), ("It is 3.",)))
    server = Server()
    server.spoilt_from = 0
    server.spoil = lambda answer: {**answer, "data": [{"index": 0, "data": [[0.5, 0.5]] * 1}]}
    with pytest.raises(Misbehaving, match=r"above ⅔ for 'It is 2\.' and below ⅓ for 'It is 3\.'"):
        told(server, form, request(path("One.")))


@pytest.mark.parametrize(("status", "error"), [("404 Not Found", InputError), ("400 Bad Request", Misbehaving)])
def test_another_kind_of_server_is_told(status: str, error: type[SpexError]) -> None:
    server = Server()
    server.spoilt_from, server.status = 0, status
    with pytest.raises(error) as caught:
        told(server, TAGGED, request(path("One.")))
    if isinstance(caught.value, InputError):
        assert caught.value.field == "reward"


def test_a_server_that_fails_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.reward.head_server.repeated", lambda ask, progress=None, **_: ask())

    async def main() -> None:
        server = Server()
        server.spoilt_from, server.status = 3, "503 Service Unavailable"
        async with head_of(server, TAGGED) as head:
            with pytest.raises(SpexError, match="status 503"):
                await head.score(request(path("One.")), Progress())
            server.status = "200 OK"
            assert len(await head.score(request(path("One.")), Progress())) == 1

    asyncio.run(main())


async def begun(server: Server, head: ScoreHead) -> asyncio.Task[tuple[float, ...]]:
    """A score that the server is at work on, and does not end by itself."""
    task = asyncio.ensure_future(head.score(request(path("One.")), Progress()))
    while len(server.asked) < 3:  # noqa: ASYNC110  # a server on a real clock
        await asyncio.sleep(0.005)
    assert head.server.counters().running == 1
    return task


@pytest.mark.parametrize(("kind", "form"), [("vllm", TAGGED), ("sglang", WHOLE)])
def test_a_cancelled_score_leaves_nothing_running(kind: str, form: HeadForm) -> None:
    async def main() -> None:
        server = Server(outputs=form.outputs)
        server.hangs = True
        async with head_of(server, form, kind) as head:
            task = await begun(server, head)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert head.server.counters().running == 0
            assert not server.running

    asyncio.run(main())


@pytest.mark.parametrize("impatient", [False, True])
def test_sglang_is_asked_to_abort_a_score_until_it_is_over(impatient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.engine.sglang_abort._ABORT_AGAIN_SECONDS", 0.01)

    async def main() -> None:
        server = Server(outputs=1)
        server.hangs, server.deaf_times = True, 3
        async with head_of(server, WHOLE, "sglang") as head:
            task = await begun(server, head)
            task.cancel()
            await asyncio.sleep(0)
            if impatient:
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not server.running
            assert set(server.aborts) == {server.rids[-1]}
            assert len(server.aborts) > 3

    asyncio.run(main())


def test_no_id_of_a_score_is_the_beginning_of_another_or_can_be_guessed() -> None:
    server = Server(outputs=1)
    told(server, WHOLE, request(path("One."), path("Two.")), "sglang")
    rids = [str(rid) for rid in server.rids]
    assert len(set(rids)) == 4
    assert {len(rid) for rid in rids} == {32}
    assert all(re.fullmatch("[0-9a-f]+", rid) for rid in rids)
    assert len({rid[:24] for rid in rids}) == 4


def test_vllm_is_sent_no_id_that_it_does_not_know() -> None:
    server = Server()
    told(server, TAGGED, request(path("One.")))
    assert set(server.rids) == {None}


@pytest.mark.parametrize(
    ("loads", "load"), [({"loads": [{"num_running_reqs": 2, "num_waiting_reqs": 3}] * 2}, 10), (None, None)]
)
def test_sglang_tells_its_load_where_it_has_a_page_for_it(loads: object, load: int | None) -> None:
    async def main() -> None:
        server = Server(outputs=1)
        server.loads = loads
        async with head_of(server, WHOLE, "sglang") as head:
            assert await load_of(head.server) == load

    asyncio.run(main())


@pytest.mark.parametrize(("kind", "form"), [("vllm", TAGGED), ("sglang", WHOLE)])
def test_a_server_that_is_full_when_it_is_opened_is_waited_for(kind: str, form: HeadForm) -> None:
    async def main() -> None:
        server = Server(outputs=form.outputs)
        server.full_times = 2
        with stamina.set_testing(True, attempts=3):
            async with head_of(server, form, kind) as head:
                assert len(await head.score(request(path("One.")), Progress())) == 1
            server.full_times = 3
            with pytest.raises(Overloaded):
                async with head_of(server, form, kind):
                    pass

    asyncio.run(main())


def test_a_server_that_is_away_when_it_is_opened_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("spex.reward.head_server.HeadServer._told", away(slept))
    with pytest.raises(Unreachable):
        asyncio.run(ScoreHead("vllm:http://127.0.0.1:9", TAGGED).open())
    assert len(slept) == 1


def away(asked: list[float]) -> Callable[[Any], Any]:
    async def tell(server: Any) -> None:
        asked.append(0.0)
        raise Unreachable(server.name, "away")

    return tell


def test_what_one_path_has_cost_is_not_lost_where_another_is_asked_for_again() -> None:
    async def main() -> None:
        server = Server()
        async with head_of(server, TAGGED) as head:
            progress = Progress()
            server.busy_at = 4
            with stamina.set_testing(True, attempts=2):
                await head.score(request(path("One."), path("Two.")), progress)
            assert progress.lost == Tokens()
            assert progress.cost == Tokens(reward=sum(map(len, server.asked[2::2])))
            assert [len(asked) for asked in server.asked[2:]] == [len(server.asked[2])] * 3

    asyncio.run(main())


def test_a_server_without_a_kind_or_an_address_is_refused() -> None:
    for server, field in (("llamacpp:m.gguf", "reward"), ("", "reward"), ("vllm:nowhere", "url")):
        with pytest.raises(InputError) as caught:
            ScoreHead(server, TAGGED)
        assert caught.value.field == field
    with pytest.raises(InputError, match="label tokens"):
        ScoreHead("vllm:http://127.0.0.1:8001", "math-shepherd")


def test_a_score_head_that_is_not_open_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.reward.head_server.repeated", lambda ask, progress=None, **_: ask())
    head = ScoreHead("vllm:http://127.0.0.1:9", TAGGED)
    with pytest.raises(Unreachable, match="not open"):
        asyncio.run(head.score(request(path("One.")), Progress()))
