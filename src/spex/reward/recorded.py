"""Recording, resuming and replaying a reward: wrappers around any of them."""

from __future__ import annotations

from spex.engine.base import Capabilities, Counters, Progress, Scoring, Server
from spex.engine.known_model import check_model
from spex.errors import LogMismatch, NotLossless
from spex.record import CallLog, ScoreEntry
from spex.reward.base import Reward, servers_of
from spex.reward.checked import validated
from spex.usage import Tokens


class RecordedReward:
    """A reward whose finished scores are read from the log, or made and then kept in it."""

    def __init__(self, reward: Reward, log: CallLog) -> None:
        self._reward = reward
        self._log = log

    @property
    def name(self) -> str:
        return self._reward.name

    @property
    def server(self) -> Server:
        return self._reward.server

    @property
    def reads_logprobs(self) -> bool:
        return getattr(self._reward, "reads_logprobs", False)

    async def open(self) -> None:
        """Raises `LogMismatch` where what was recorded is another model's; then the reward is closed again."""
        await self._reward.open()
        try:
            for server in servers_of(self._reward):
                check_model(self._log, server)
        except BaseException:
            await self._reward.close()
            raise

    async def close(self) -> None:
        await self._reward.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        found = find_scores(self._log, request, progress)
        if found is not None:
            return found
        # Checked before they are kept: a wrong score must not come back for ever.
        values = validated(await self._reward.score(request, progress), request, self.name)
        self._log.append(ScoreEntry(request.key, request.digest, values, progress.cost))
        return values


class ReplayedReward:
    """A reward that only knows a log: what is not in it is `NotLossless`."""

    def __init__(self, log: CallLog, name: str = "reward") -> None:
        self._log = log
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def server(self) -> Server:
        return self

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def counters(self) -> Counters:
        return Counters(0, Tokens())

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        found = find_scores(self._log, request, progress)
        if found is None:
            raise NotLossless(request.key)
        return found


def find_scores(log: CallLog, request: Scoring, progress: Progress) -> tuple[float, ...] | None:
    """The recorded scores of `request`. Raises `LogMismatch` when the record is of another request."""
    entry = log.find(request.key)
    if not isinstance(entry, ScoreEntry):
        return None
    if entry.digest != request.digest:
        raise LogMismatch(f"call log: {request.key} was recorded for another request (content or model)")
    progress.replay(entry.cost)
    return entry.values
