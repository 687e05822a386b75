"""Whether a file is a GGUF model, and what it is otherwise: a look at its head, bounded."""

from __future__ import annotations

from pathlib import Path
from struct import Struct

from spex.errors import InputError

_HEAD = Struct("<4sIQQ")
_BYTES_MIN = 4096
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"version https://git-lfs", "a Git LFS pointer (the model itself was never fetched)"),
)


def check_gguf(path: Path) -> None:
    """Raise `InputError` unless `path` begins as a GGUF model of version 2 or 3 does."""
    if not path.exists():
        raise InputError("model", str(path), "there is no such file")
    if not path.is_file():
        raise InputError("model", str(path), "it must be a file, and is a directory or a device")
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise InputError("model", str(path), f"it cannot be read: {error.strerror}") from None
    if not head.startswith(b"GGUF"):
        raise InputError("model", str(path), f"it must be a GGUF model, and is {_kind_of(head)}")
    if len(head) < _HEAD.size or path.stat().st_size < _BYTES_MIN:
        raise InputError("model", str(path), f"it is a GGUF model cut off after {path.stat().st_size} bytes")
    _, version, tensors, entries = _HEAD.unpack(head[: _HEAD.size])
    if version not in (2, 3) or not 0 < tensors < 1 << 20 or not 0 < entries < 1 << 20:
        raise InputError("model", str(path), f"its GGUF header is damaged (version {version}, {tensors} tensors)")


def _kind_of(head: bytes) -> str:
    if not head:
        return "empty"
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    start = head.lstrip()[:15].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page (a download that went wrong?)"
    if b'{"' in head[:64]:
        return "JSON or safetensors"
    return "text" if all(byte >= 9 for byte in head) else "something else"
