"""Packages that `packaging/setup.sh` installs, recorded by stubs of the system's commands."""

from __future__ import annotations

import shutil
import subprocess
import sys
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


def requested_packages(
    folder: Path, what: str, refused: str = "libportaudio2"
) -> tuple[set[str], str]:
    """The packages that apt-get was asked for on a bare Debian, and what the script said."""
    (folder / "packaging").mkdir()
    for name in ("packaging/setup.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    commands = folder / "bin"
    commands.mkdir()
    for name, script in STUBS.items():
        (commands / name).write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        (commands / name).chmod(0o755)
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
