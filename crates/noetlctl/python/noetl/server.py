"""`python -m noetl.server …` is `noetl server start …`."""

import sys

from noetl._launcher import run

if __name__ == "__main__":
    sys.exit(run(["server", "start", *sys.argv[1:]]))
