"""Builds the bundle: clean environment, PyInstaller, stripping, size check, self-test.

    python packaging/build.py [--torch cpu|cuda] [--out build] [--index ADDRESS] [--no-selftest]

The bundle is OUT/bundle/segue (macOS: also OUT/bundle/Segue.app). The environment is created unless
OUT/venv exists, and holds the dependencies in pyproject.toml and PyInstaller, nothing else. Run it
with the Python that goes into the bundle: 3.11 to 3.13, with a shared library.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
HERE: Final = ROOT / "packaging"
PYINSTALLER: Final = "pyinstaller>=6.15,<7"
SOUND_LIBRARIES: Final = ("libportaudio.so.2", "libjack.so.0", "libasound.so.2", "libdb-5.3.so")
STRIPPED_FILES: Final = (
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libtorch_python.so",
    "libpython3*.so.1.0",
    "python3*/lib-dynload/*.so",
    "tokenizers/*.so",
    "yaml/*.so",
)
"""Files whose debug symbols are stripped.

Qt's libraries stay as they are, and so does OpenBLAS, which strip would break.
"""


def say(words: str) -> None:
    print(f"segue: {words}", flush=True)


def stop(words: str) -> None:
    sys.exit(f"segue: {words}")


def requirements() -> list[str]:
    """The run-time dependencies in pyproject.toml; torch first, as in setup.sh."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        dependencies: list[str] = tomllib.load(file)["project"]["dependencies"]
    return sorted(dependencies, key=lambda requirement: not requirement.startswith("torch=="))


def torch_names(requirement: str, variant: str, system: str) -> list[str]:
    """Requirements of torch to try in order: on Linux the CPU build has a version of its own."""
    if system != "Linux" or variant == "cuda":
        return [requirement]
    return [f"{requirement}+cpu", requirement]


def python_in(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_environment(venv: Path, variant: str, index: str | None) -> Path:
    """Create the build's environment, or reuse a complete one; returns its Python."""
    python = python_in(venv)
    if (venv / ".complete").is_file():
        return python
    shutil.rmtree(venv, ignore_errors=True)
    say(f"making {venv}")
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if index:
        pip += ["--extra-index-url", index]
    torch, *others = requirements()
    for name in torch_names(torch, variant, platform.system()):
        if subprocess.run([*pip, name], check=False).returncode == 0:
            break
    else:
        stop(f"pip could not install {torch}: see above.")
    subprocess.run([*pip, *others, PYINSTALLER], check=True)
    (venv / ".complete").touch()
    return python


def sound_libraries() -> list[str]:
    """On Linux, this system's PortAudio and what it links, the bundle's fallback."""
    if platform.system() != "Linux":
        return []
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True)
    found = {}
    for name, path in re.findall(r"^\s*(\S+) \(.*x86-64.*\) => (\S+)$", known.stdout, re.MULTILINE):
        found.setdefault(name, path)
    if platform.machine() not in ("x86_64", "AMD64"):
        for name, path in re.findall(r"^\s*(\S+) \(.*\) => (\S+)$", known.stdout, re.MULTILINE):
            found.setdefault(name, path)
    for name in SOUND_LIBRARIES[:1]:
        if name not in found:
            stop(f"{name} is not here: sudo apt-get install libportaudio2")
    return [found[name] for name in SOUND_LIBRARIES if name in found]


def bundle(python: Path, out: Path) -> Path:
    """Run PyInstaller; returns the bundle's folder."""
    icons = out / "icons"
    subprocess.run([str(python), str(HERE / "icons.py"), str(icons)], check=True)
    environment = os.environ | {
        "SEGUE_ICONS": str(icons),
        "SEGUE_SOUND": ":".join(sound_libraries()),
        "PYTHONHASHSEED": "0",
    }
    say("PyInstaller is running; it takes some minutes")
    command = [str(python), "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    command += ["--workpath", str(out / "work"), "--distpath", str(out / "bundle")]
    subprocess.run([*command, str(HERE / "segue.spec")], check=True, env=environment, cwd=out)
    return out / "bundle" / "segue"


def strip(folder: Path) -> None:
    """Remove debug symbols."""
    tool = shutil.which("strip")
    if platform.system() != "Linux":
        return
    if tool is None:
        stop("strip is not here: sudo apt-get install binutils")
    for name in STRIPPED_FILES:
        for path in (folder / "_internal").glob(name):
            if not path.is_symlink():
                subprocess.run([str(tool), "--strip-unneeded", str(path)], check=True)


def minimal_environment(home: Path) -> dict[str, str]:
    """Environment variables without this machine's PATH and Python."""
    names = ("SYSTEMROOT", "TEMP", "TMP", "USERPROFILE", "APPDATA", "LOCALAPPDATA")
    return {name: os.environ[name] for name in names if name in os.environ} | {"HOME": str(home)}


def program_in(folder: Path) -> Path:
    names = ("segue-cli.exe", "segue.exe", "segue")
    return next(folder / name for name in names if (folder / name).is_file())


def selftest(folder: Path) -> int:
    """Exit code of the bundle's self-test, run from a folder with a space and an accent."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        home.mkdir()
        place = Path(temporary) / "Ségue two"
        shutil.copytree(folder, place, symlinks=True)
        command: Sequence[str] = [str(program_in(place)), "--selftest"]
        environment = minimal_environment(home)
        return subprocess.run(command, env=environment, cwd=home, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description="Build Segue's bundle.")
    parser.add_argument("--torch", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, default=ROOT / "build")
    parser.add_argument("--venv", type=Path, help="OUT/venv unless told otherwise")
    parser.add_argument("--index", help="address of a package index with torch's CPU builds")
    parser.add_argument("--no-selftest", action="store_true")
    chosen = parser.parse_args()
    out = chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    venv = (chosen.venv or out / "venv").resolve()
    python = make_environment(venv, chosen.torch, chosen.index)
    folder = bundle(python, out)
    strip(folder)
    sizes = [sys.executable, str(HERE / "sizes.py"), str(folder)]
    if chosen.torch == "cuda":
        sizes.append("--any-size")
    code = subprocess.run(sizes, check=False).returncode
    if code == 0 and not chosen.no_selftest:
        code = selftest(folder)
    say(f"{folder} is {'ready' if code == 0 else 'not fit to ship'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
