"""`python -m spex`."""

import sys

from spex.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
