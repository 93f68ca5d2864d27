"""Finds the binary of this package, and the web page in it, and hands over to the binary.

Only the standard library, and any Python since 3.9.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def candidates() -> list:
    """The folders in which the binary may be: in this package, which `cargo xtask setup` lays out, or where installers
    of the wheel put scripts. Never PATH, whose `noetl` could be this launcher again."""
    bin_name = "Scripts" if os.name == "nt" else "bin"
    folders = [PACKAGE / "bin", Path(sysconfig.get_path("scripts"))]
    # pip install --user
    folders.append(Path(sysconfig.get_path("scripts", scheme=sysconfig.get_preferred_scheme("user"))))
    # pip install --target FOLDER, and --prefix FOLDER: FOLDER/lib/python3.9/site-packages/noetl
    folders.append(PACKAGE.parent / "bin")
    above = PACKAGE.parents[1] if os.name == "nt" else PACKAGE.parents[2]
    return folders + [above.parent / bin_name]


def binary() -> Path:
    """The binary of this package."""
    name = "noetl.exe" if os.name == "nt" else "noetl"
    for folder in candidates():
        found = folder / name
        if found.is_file():
            return found
    sys.exit(
        f"error: {name} is in none of the folders of this package: {', '.join(map(str, candidates()))}\n"
        "help: pip install --force-reinstall noetlctl; in a checkout: cargo xtask setup"
    )


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
