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
    folders = [PACKAGE / "bin", Path(sysconfig.get_path("scripts"))]
    # pip install --user
    for scheme in sysconfig.get_scheme_names():
        if scheme in (f"{os.name}_user", "osx_framework_user"):
            folders.append(Path(sysconfig.get_path("scripts", scheme=scheme)))
    # pip install --target FOLDER
    folders.append(PACKAGE.parent / "bin")
    # pip install --prefix FOLDER: FOLDER/lib/python3.9/site-packages/noetl, on Windows FOLDER/Lib/site-packages/noetl
    name, depth = ("Scripts", 2) if os.name == "nt" else ("bin", 3)
    folders.extend(above / name for above in list(PACKAGE.parents)[depth : depth + 1])
    return folders


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
