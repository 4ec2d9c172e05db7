"""What `packaging/setup.sh` installs and what it says, by stubs of the system's commands."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANKS = {"libfluidsynth3", "fluid-soundfont-gm", "musescore-general-soundfont"}
"""As test_corpus_sound_banks.py names them where it is skipped."""
STUBS = {
    "uname": "echo Linux",
    "id": "echo 0",
    "dpkg-query": "exit 1",  # nothing is installed yet
    "apt-cache": "exit 0",  # everything is known
    "env": 'while [ "$1" != apt-get ]; do shift; done; "$@"',
    # Refuses what cannot be had, and the setup ends at what it cannot do without.
    "apt-get": 'echo "$@" >> asked; echo "debconf: delaying $1" >&2; '
    '[ "$1" = update ] || [[ " $* " != *" $REFUSED "* ]]',
}

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None, reason="setup.sh is for Linux and macOS"
)


PIP_NOISE = (
    "Ignoring colorama: markers 'sys_platform == \"win32\"' don't match your environment",
    "WARNING: The script isympy is installed in '/root/.local/bin' which is not on PATH.",
    "WARNING: The directory '/root/.cache/pip' or its parent directory is not owned by you.",
    "WARNING: Running pip as the 'root' user can result in broken permissions",
)
APT_NOISE = (
    "debconf: unable to initialize frontend: Dialog",
    "debconf: (TERM is not set, so the dialog frontend is not usable.)",
    "dpkg-preconfigure: unable to re-open stdin:",
    "Preconfiguring packages ...",
)


def add_commands(folder: Path, scripts: Mapping[str, str]) -> Path:
    """A folder of stubs, to stand first in the path."""
    commands = folder / "bin"
    commands.mkdir()
    for name, script in scripts.items():
        (commands / name).write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        (commands / name).chmod(0o755)
    return commands


def requested_packages(
    folder: Path, what: str, refused: str = "libportaudio2"
) -> tuple[set[str], str]:
    """The packages that apt-get was asked for on a bare Debian, and what the script said."""
    (folder / "packaging").mkdir()
    for name in ("packaging/setup.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    commands = add_commands(folder, STUBS)
    python = commands / "python-that-ends-the-setup"
    python.write_text(f'#!/bin/bash\n[ "$2" != venv ] && exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    done = subprocess.run(
        [shutil.which("bash") or "", "packaging/setup.sh", what],
        cwd=folder,
        env={"PATH": f"{commands}:/usr/bin:/bin", "PYTHON": str(python), "REFUSED": refused},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode and not (folder / ".venv").exists()
    asked = (folder / "asked").read_text(encoding="utf-8").split()
    return set(asked), done.stdout + done.stderr


def test_tests_get_what_they_would_be_skipped_without(tmp_path: Path) -> None:
    names, _ = requested_packages(tmp_path, "test", "fluid-soundfont-gm")
    assert {"jackd2", "xvfb", "libportaudio2", *BANKS} <= names


def test_sound_banks_that_cannot_be_had_stop_nothing(tmp_path: Path) -> None:
    _, output = requested_packages(tmp_path, "test", "fluid-soundfont-gm")
    assert "The tests of the sound banks will be skipped." in output
    assert "Run the same by hand" not in output


def test_what_sound_needs_stops_it(tmp_path: Path) -> None:
    names, output = requested_packages(tmp_path, "test")
    assert "libportaudio2" in output and "Run the same by hand" in output
    assert not names & BANKS


def test_playing_needs_no_sound_banks(tmp_path: Path) -> None:
    names, _ = requested_packages(tmp_path, "run")
    assert "libportaudio2" in names
    assert not names & {"jackd2", "xvfb", *BANKS}


def test_what_installers_say_is_shown_only_where_they_fail(tmp_path: Path) -> None:
    _, output = requested_packages(tmp_path, "run")
    assert "debconf: delaying install" in output  # apt-get install was refused
    assert "debconf: delaying update" not in output


def made(folder: Path, pip_code: int = 0) -> subprocess.CompletedProcess[str]:
    """What `make run` does in a folder on a bare Debian, without a network."""
    if not (folder / "Makefile").exists():
        (folder / "packaging").mkdir()
        for name in ("Makefile", "packaging/setup.sh", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder / name)
        (folder / "main.py").write_text("print('the instrument')\n", encoding="utf-8")
        noise = {
            name: "".join(f"printf '%s\\n' {shlex.quote(line)} >&{stream}; " for line in lines)
            for name, lines, stream in (("pip", PIP_NOISE * 5, 2), ("apt", APT_NOISE * 5, 1))
        }
        python = f"""
case "$*" in
"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; {noise["apt"]} ;;
"-m pip "*) {noise["pip"]} exit "$PIP_CODE" ;;
*importlib.metadata*) exit 1 ;; # no torch yet
*) exec {shlex.quote(sys.executable)} "$@" ;;
esac"""
        apt = {"apt-get": noise["apt"], "apt-cache": noise["apt"], "python3.12": python}
        add_commands(folder, {**STUBS, **apt})
    return subprocess.run(
        ["make", "run"],
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "PIP_CODE": str(pip_code)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_run_says_what_it_does_and_no_more(tmp_path: Path) -> None:
    done = made(tmp_path)
    *said, last = done.stdout.splitlines()
    assert (done.returncode, last, done.stderr) == (0, "the instrument", "")
    assert 3 < len(said) < 12
    # In Segue's own words, a line for each step.
    assert [line for line in said if not line.startswith("segue: ")] == []
    assert any("installing torch" in line for line in said) and said[-1] == "segue: ready"
    assert made(tmp_path).stdout == "the instrument\n"


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_run_shows_what_pip_said_where_it_failed(tmp_path: Path) -> None:
    done = made(tmp_path, pip_code=1)
    assert done.returncode and "the instrument" not in done.stdout
    assert PIP_NOISE[1] in done.stderr
    assert not any(line in done.stdout + done.stderr for line in APT_NOISE)
