"""Finds the binary and the web page in this package and hands over to the binary.

Only the standard library, and any Python since 3.9.
"""

import os
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def binary() -> Path:
    """The binary in this package; never one from PATH, which could be this launcher again."""
    found = PACKAGE / "bin" / ("noetl.exe" if os.name == "nt" else "noetl")
    if not found.is_file():
        sys.exit(f"error: {found} is missing\nhelp: cargo xtask setup")
    return found


def environment() -> dict:
    """The environment for the server: a page laid out in this package is served from there.

    A folder without index.html, such as an empty `assets/`, switches the page off.
    """
    variables = dict(os.environ)
    page = PACKAGE / "core" / "ui"
    if "NOETL_UI_DIR" not in variables and page.is_dir():
        if (page / "index.html").is_file():
            variables["NOETL_UI_DIR"] = str(page)
        else:
            variables["NOETL_ENABLE_UI"] = "false"
    return variables


def run(arguments: list) -> int:
    """Becomes the binary; on Windows, where that does not exist, runs it and gives its exit code."""
    command = [str(binary()), *arguments]
    if os.name == "nt":
        try:
            return subprocess.run(command, env=environment()).returncode
        except KeyboardInterrupt:
            return 0
    os.execve(command[0], command, environment())
