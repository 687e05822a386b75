"""What a broken connection means: which of the ways in which one breaks is the address's fault, and what to do."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator

import httpx2
import msgspec

from spex.errors import InputError, Overloaded, SpexError, Unreachable

BUSY = frozenset({429, 503, 529})
"""Statuses of a server that takes no more requests now."""

PASSING_STATUSES = frozenset({408, 409, 425})
"""Statuses of a request that was not taken this time, and may be the next."""

OWN_FAULT = 500
"""From this status on it is the server's."""

_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_WANTS_TLS = ("to https port", "to an https server")
_UNSPOKEN = ("without sending", "illegal request line")  # it closed, or answered in something that is no HTTP
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_OTHER_NAME = frozenset({62, 64})  # OpenSSL's codes for a host and an address that are not in the certificate


class Fault(msgspec.Struct, frozen=True):
    """What a server tells within a stream that went wrong after the answer had begun."""

    message: str = ""
    code: int | None = None


def connection_fault(error: httpx2.HTTPError, name: str, url: str) -> SpexError:
    """The error to raise for `error`, of the server `name` at `url`."""
    broken = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)
    if isinstance(broken, ssl.SSLCertVerificationError):
        remedy = "name the file of who signed it in SSL_CERT_FILE"
        if broken.verify_code in _OTHER_NAME:
            remedy = "name the server as its certificate does"
        return InputError("policy", url, f"its certificate is not trusted ({broken.verify_message}): {remedy}")
    if broken is not None and broken.reason in _NO_TLS:
        return InputError("policy", url, f"it does not speak TLS there: name it as http{url.removeprefix('https')}")
    if any(isinstance(cause, OSError) and cause.errno in _NO_FILES for cause in _causes(error)):
        return Overloaded(name, "this process may open no more files (ulimit -n): allow more, or ask for less at once")
    if isinstance(error, httpx2.ConnectError):
        return Unreachable(name, f"nothing answers at {url}: start it, or correct the address")
    unspoken = url.startswith("http:") and any(told in str(error) for told in _UNSPOKEN)
    told = f" before it answered (if it speaks TLS: {_secured(url)})" if unspoken else ""
    died = "look in the server's log whether it died"
    return Unreachable(name, f"the connection broke off{told} ({type(error).__name__}): {died}")


def says_that_it_wants_tls(status: int, text: str) -> bool:
    """Whether a refusal is that of a TLS server, of a request in the clear."""
    return status == httpx2.codes.BAD_REQUEST and any(told in text.casefold() for told in _WANTS_TLS)


def wants_tls(url: str) -> InputError:
    """The error for a server that speaks TLS alone."""
    return InputError("policy", url, f"it speaks TLS: name it as {_secured(url)}")


def _secured(url: str) -> str:
    return f"https{url.removeprefix('http')}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
