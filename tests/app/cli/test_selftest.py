"""--version, --selftest, and a session's file on the command line."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from app.cli import flags, program, selftest
from models.command import program_name
from models.errors import SegueError
from models.segue.studio import bank

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("words", "rest", "session"),
    [
        (["a b.segue.json"], [], "a b.segue.json"),
        (["--engine", "segue", "x.segue.json"], ["--engine", "segue"], "x.segue.json"),
        (["render", "--performance", "x.segue.json"], None, None),
        (["x.json"], None, None),
        ([], None, None),
    ],
)
def test_a_session_on_the_command_line(
    words: list[str], rest: list[str] | None, session: str | None
) -> None:
    left, path = flags.take_session(words)
    assert left == (words if rest is None else rest)
    assert path == (None if session is None else Path(session))


def test_a_clicked_session_reaches_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Namespace] = []

    def remember(chosen: Namespace) -> int:
        seen.append(chosen)
        return 0

    monkeypatch.setattr("app.cli.instrument.instrument", remember)
    assert program.main(["ré sumé.segue.json"]) == 0
    assert seen[0].session == Path("ré sumé.segue.json")
    assert program.main([]) == 0 and seen[1].session is None


@pytest.mark.parametrize(
    ("frozen", "platform", "words"),
    [
        (False, "win32", "python main.py"),
        (True, "linux", "segue"),
        (True, "darwin", "segue"),
        (True, "win32", "segue-cli"),
    ],
)
def test_sentences_name_the_program_that_is_there(frozen: bool, platform: str, words: str) -> None:
    assert program_name(frozen, platform) == words


def test_flags_stand_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--version", "--engine", "segue"]) == 2
    assert "stand alone" in capsys.readouterr().err


def test_version_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    for name in ("segue", "python", "torch", "Qt", "PortAudio", "weights codec.safetensors"):
        assert any(line.startswith(name) for line in done.stdout.splitlines()), name


def test_a_part_that_fails_is_one_line_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise SegueError("the engine\nwas silent.")

    def odd() -> str:
        raise ZeroDivisionError("by zero")

    def short() -> str:
        raise selftest.SelftestNoteError("no output here")

    parts = (("a", lambda: "fine"), ("b", short), ("c", broken), ("d", odd))
    monkeypatch.setattr(selftest, "PARTS", parts[:2])
    assert selftest.selftest() == 0
    monkeypatch.setattr(selftest, "PARTS", parts)
    assert selftest.selftest() == 1
    lines = capsys.readouterr().out.splitlines()[3:]
    assert [line.split()[0] for line in lines] == ["ok", "note", "FAIL", "FAIL", "self-test"]
    assert lines[2].endswith("the engine was silent.") and "ZeroDivisionError" in lines[3]


def test_a_home_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SegueError, match="cannot be made .*Segue plays"):
        selftest._make(tmp_path / "file" / "Segue", "recordings")
    made = selftest._make(tmp_path / "a" / "b", "recordings")
    assert made == [tmp_path / "a" / "b", tmp_path / "a"]


def test_a_damaged_instrument_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "instruments"
    shutil.copytree(ROOT / "resources" / "instruments", whole)
    monkeypatch.setattr(bank.Bank, "__init__", functools.partialmethod(bank.Bank.__init__, whole))
    assert "instruments" in selftest._studio()
    victim = sorted(whole.glob("*.bin"))[3]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(SegueError, match=f"{victim.name} is damaged"):
        selftest._studio()


def test_the_whole_self_test(tmp_path: Path) -> None:
    """Everything once, as a user would; it leaves nothing in the home."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "--selftest"],
        capture_output=True,
        text=True,
        timeout=300,
        env=_environment(tmp_path),
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert [line.split()[0] for line in lines[:-1]].count("FAIL") == 0
    assert len(lines) == len(selftest.PARTS) + 1
    assert any(line.startswith("ok    studio") and "instruments" in line for line in lines)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and "pulse" not in path.parts]
    assert not left


def _environment(home: Path) -> dict[str, str]:
    import os

    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return kept | threads | {"HOME": str(home)}
