"""`python -m spex`, and what the command `spex` starts from."""

import gc
import os
import sys

# Trees are many small objects that stay until the end. After every 700 of them, as Python would, the collector goes
# through them so often that it takes a third of our own work where hundreds of queries run at once.
COLLECT_AFTER = 20_000
_INTERRUPTED = 130


def main() -> int:
    """Run the command. A Ctrl-C while it still loads ends it without a word."""
    gc.set_threshold(COLLECT_AFTER)
    try:
        from spex.cli.main import main as command  # noqa: PLC0415  # it takes a moment
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)
    return command()


if __name__ == "__main__":
    sys.exit(main())
