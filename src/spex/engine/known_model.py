"""Which model a log's results are of: an address may have another one when a run goes on."""

from __future__ import annotations

from spex.engine.abilities import identity_of
from spex.engine.base import Server
from spex.errors import LogMismatch
from spex.record import CallLog, Filed, ModelEntry


def check_model(log: CallLog, server: Server) -> None:
    """Keep in `log` which model the open `server` has, or compare it with the one that is kept there.

    Who does not say is believed, and so is another version of the server's program. Raises `LogMismatch`.
    """
    version, model, _ = identity_of(server)
    if not model:
        return
    key = f"model:{server.name}"
    kept = log.find(key)
    if not isinstance(kept, ModelEntry):
        log.append(ModelEntry(key, model, version))
    elif kept.model != model:
        told = f"its results are of the model {kept.model!r}, and {server.name} now has {model!r}"
        where = f" {log.path}" if isinstance(log, Filed) else ""
        raise LogMismatch(f"call log{where}: {told}: serve the former there again, or name another file")
