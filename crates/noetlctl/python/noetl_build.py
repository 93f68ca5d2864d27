"""Builds a wheel from the source distribution with cargo alone: a build backend as PEP 517 describes it.

Only the standard library, and any Python since 3.9. `cargo xtask dist` makes the wheels of a release.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sysconfig
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = Path(__file__).resolve().parent / "noetl"


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_sdist(sdist_directory, config_settings=None):
    raise SystemExit("error: a source distribution is made of a checkout\nhelp: cargo xtask dist")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Writes a wheel for this machine to a folder. Returns its name."""
    metadata = (ROOT / "PKG-INFO").read_bytes()
    fields = dict(line.split(": ", 1) for line in metadata.decode().split("\n\n")[0].splitlines())
    stem = f"noetlctl-{fields['Version']}"
    tag = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")
    binary = compile_binary()
    files = {f"noetl/{path.name}": path.read_bytes() for path in sorted(PACKAGE.glob("*.py"))}
    files[f"{stem}.data/scripts/{binary.name}"] = binary.read_bytes()
    info = f"{stem}.dist-info"
    files[f"{info}/METADATA"] = metadata
    wheel = f"Wheel-Version: 1.0\nGenerator: noetl_build\nRoot-Is-Purelib: false\nTag: {tag}\n"
    files[f"{info}/WHEEL"] = wheel.encode()
    for name in ("LICENSE", "THIRD-PARTY-LICENSES"):
        files[f"{info}/licenses/{name}"] = (ROOT / name).read_bytes()
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD")
    name = f"{stem}-{tag}.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return name


def compile_binary() -> Path:
    """Compiles the command. Returns the path of the binary, as cargo says it."""
    cargo = shutil.which("cargo")
    if cargo is None:
        raise SystemExit("error: cargo is not on PATH\nhelp: install Rust as rustup.rs says")
    arguments = ["build", "--locked", "--release", "--package", "noetlctl", "--bin", "noetl"]
    command = [cargo, *arguments, "--message-format", "json-render-diagnostics"]
    said = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    messages = [json.loads(line) for line in said.splitlines()]
    built = [it["executable"] for it in messages if it.get("executable")]
    return Path(built[-1])


def record(files, own):
    """RECORD: each file with its hash and its size; the last line is its own, without either."""

    def digest(content):
        return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()

    lines = [f"{path},sha256={digest(content)},{len(content)}\n" for path, content in files.items()]
    return "".join([*lines, f"{own},,\n"]).encode()
