"""Chain of all training stages: what each is told, and in which order."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.training import __main__ as chain


@pytest.mark.parametrize("minutes", [0.3, 1.0, 75.0])
def test_every_stage_has_its_share_and_writes_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: float
) -> None:
    ran: list[list[str]] = []

    def run(words: list[str], check: bool) -> SimpleNamespace:
        ran.append(words[2:])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    weights = tmp_path / "learned" / "weights"
    words = ["--out", str(tmp_path), "--hours", "0.04", "--minutes", str(minutes)]
    assert chain.main([*words, "--weights", str(weights)]) == 0
    assert weights.is_dir()
    stages = {command[0]: command for command in ran}
    assert [name.rpartition(".")[2] for name in stages][-3:] == ["renderer", "distil", "weights"]
    shares = chain.SHARES | {"renderer": 1.0}
    for name, share in shares.items():
        command = stages["models.training." + ("style" if name == "text" else name)]
        option = "--text-minutes" if name == "text" else "--minutes"
        given = float(command[command.index(option) + 1])
        assert given == pytest.approx(share * minutes, abs=0.006)
        assert given > 0.0
    style = stages["models.training.style"]
    assert Path(style[style.index("--weights") + 1]) == weights / "style.safetensors"
    # A step of the usual size would take longer than such a stage.
    for name in ("arranger", "renderer", "distil"):
        assert ("--batch" in stages[f"models.training.{name}"]) == (minutes < chain.TRIAL_MINUTES)
    for command in ran:
        assert not any(word.startswith("resources") for word in command), command[0]
