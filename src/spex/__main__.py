"""`python -m spex`, and what the command `spex` starts from."""

import os
import sys

_INTERRUPTED = 130


def main() -> int:
    """Run the command. A Ctrl-C while it still loads ends it without a word."""
    try:
        from spex.cli.main import main as command  # noqa: PLC0415  # it takes a moment
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)
    return command()


if __name__ == "__main__":
    sys.exit(main())
