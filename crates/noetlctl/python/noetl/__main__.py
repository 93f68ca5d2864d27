"""`python -m noetl …` is `noetl …`."""

import sys

from noetl._launcher import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
