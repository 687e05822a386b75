"""How long a command waits for servers, as every command that asks some can be told."""

from __future__ import annotations

from pydantic import BaseModel, Field

from spex.cli.values import Real

_DAY_SECONDS = 86_400
_ALLOWED = f"a number of seconds above 0, at most {_DAY_SECONDS}"


class ServerSettings(BaseModel):
    """Of engines and rewards by name, over HTTP. In a field, `description` says what is allowed."""

    connect_seconds: Real | None = Field(
        None, gt=0, le=_DAY_SECONDS, title="most seconds to connect to a server, if not 5", description=_ALLOWED
    )
    first_token_seconds: Real | None = Field(
        None,
        gt=0,
        le=_DAY_SECONDS,
        title="most seconds from a request to the first token of its answer, if not 300",
        description=_ALLOWED,
    )
    token_gap_seconds: Real | None = Field(
        None, gt=0, le=_DAY_SECONDS, title="most seconds between two tokens, if not 60", description=_ALLOWED
    )
    patience_seconds: Real | None = Field(
        None,
        ge=0,
        le=_DAY_SECONDS,
        title="how long a server that is away, full or silent is asked again, four times in any case, if not 60",
        description=f"a number of seconds from 0 to {_DAY_SECONDS}",
    )

    @property
    def waits(self) -> dict[str, float]:
        """Those that are given, by the names that the library has for them too."""
        given = {name: getattr(self, name) for name in ServerSettings.model_fields}
        return {name: value for name, value in given.items() if value is not None}
