"""A folder as engines/setup makes it, whose Python is a program that pretends to be an engine."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

_ENGINE = '''\
#!{python}
"""Pretends to be a server: says so, starts a process in a session of its own, and answers at /health, or not.

Where it is asked to run tests it pretends to have some, and none of any name.
"""
import os, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

arguments = sys.argv[1:]
if "engines.beside" in arguments:
    (Path("{folder}") / "beside").write_text(os.environ["SPEX_SGLANG_MODEL"] + " " + " ".join(arguments))
    sys.exit(5 if "-k" in arguments else 0)
port = int(arguments[arguments.index("--port") + 1])
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
(Path("{folder}") / f"started-{{port}}").write_text(f"{{os.getpid()}} {{child.pid}} {{' '.join(arguments)}}\\n")
print("loading the model", flush=True)
if "{does}" == "dies":
    print("no such model", flush=True)
    sys.exit(7)
if "{does}" == "hangs":
    time.sleep(600)

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

HTTPServer(("127.0.0.1", port), Answer).serve_forever()
'''


def pretended(folder: Path, does: str = "answers") -> Path:
    """`folder`, with an engine that `answers`, `hangs` or `dies`."""
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(dedent(_ENGINE).format(python=sys.executable, folder=folder, does=does))
    python.chmod(0o755)
    return folder


def processes(folder: Path) -> list[int]:
    """The processes that its engines have been, so far."""
    lines = [file.read_text() for file in sorted(folder.glob("started-*"))]
    return [int(word) for line in lines for word in line.split()[:2]]


def is_alive(pid: int) -> bool:
    """Whether it runs; what has ended and is not yet collected does not."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
