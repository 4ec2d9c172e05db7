"""What `packaging/setup.sh` would have installed, told by commands that only pretend. Offline."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANKS = {"libfluidsynth3", "fluid-soundfont-gm", "musescore-general-soundfont"}
"""As test_corpus_sound_banks.py names them where it is skipped."""
PRETENDED = {
    "uname": "echo Linux",
    "id": "echo 0",
    "dpkg-query": "exit 1",  # nothing is installed yet
    "apt-cache": "exit 0",  # everything is known
    "env": 'while [ "$1" != apt-get ]; do shift; done; "$@"',
    "apt-get": '[ "$1" = update ]',  # so that the script ends, and says what it wanted
}

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None, reason="setup.sh is for Linux and macOS"
)


def wanted(folder: Path, what: str) -> set[str]:
    """The packages that a bare Debian would be given."""
    (folder / "packaging").mkdir()
    for name in ("packaging/setup.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    commands = folder / "bin"
    commands.mkdir()
    for name, script in PRETENDED.items():
        (commands / name).write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        (commands / name).chmod(0o755)
    done = subprocess.run(
        [shutil.which("bash") or "", "packaging/setup.sh", what],
        cwd=folder,
        env={"PATH": f"{commands}:/usr/bin:/bin", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and not (folder / ".venv").exists()
    _, _, names = done.stderr.partition("apt-get could not install:")
    return set(names.partition(".")[0].split())


def test_tests_get_what_they_would_be_skipped_without(tmp_path: Path) -> None:
    names = wanted(tmp_path, "test")
    assert {"jackd2", "xvfb", "libportaudio2", *BANKS} <= names


def test_playing_needs_no_sound_banks(tmp_path: Path) -> None:
    names = wanted(tmp_path, "run")
    assert "libportaudio2" in names
    assert not names & {"jackd2", "xvfb", *BANKS}
