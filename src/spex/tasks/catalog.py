"""The tasks by name; plug-ins add theirs by the entry point group `spex.tasks`."""

from __future__ import annotations

from spex.catalog import Catalog
from spex.tasks.base import Task

TASKS: Catalog[Task] = Catalog(
    kind="task",
    group="spex.tasks",
    own={
        "text": "spex.tasks.text:Text",
        "gsm8k": "spex.tasks.gsm8k:Gsm8k",
        "code": "spex.tasks.code:Code",
        "game24": "spex.tasks.game24:Game24",
        "game24-bare": "spex.tasks.game24:bare",
    },
)
