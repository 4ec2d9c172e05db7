"""Training on a lent GPU: shards, crops on the device, the stages in turn, parts of weights."""

from __future__ import annotations

import dataclasses
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import SegueError
from models.segue.renderer.features import DRUM_CELLS, no_age, note_age
from models.segue.renderer.loading import load_inference, load_renderer
from models.training.gpu import run, shards
from models.training.latents import PreparedClips

FRAMES = 60


def prepared(folder: Path, count: int, guide: bool = True) -> Path:
    """A folder of prepared clips."""
    folder.mkdir()
    for seed in range(count):
        rng = np.random.default_rng(seed)
        held = rng.random((FRAMES, 4, 88)) < 0.1
        struck = ((rng.random(held.shape) < 0.3) & held).astype(np.uint8)
        clip: dict[str, Any] = {
            "latents": rng.normal(size=(FRAMES, 8)).astype(np.float16),
            "drums": rng.integers(0, 255, (FRAMES, DRUM_CELLS)).astype(np.uint8),
            "sustain": (held * 200).astype(np.uint8),
            "chroma": rng.integers(0, 255, (FRAMES, 12)).astype(np.uint8),
            "onset": struck,
            "age": note_age(struck, held, no_age())[0],
            "instruments": rng.integers(0, 9, (FRAMES, 4)).astype(np.int16),
            "kit": rng.integers(0, 5, FRAMES).astype(np.int16),
            "beat": rng.random((FRAMES, 4)).astype(np.float16),
            "tempo": np.full(FRAMES, 120, np.float16),
            "density": np.full(FRAMES, 3, np.float16),
            "brightness": np.zeros(FRAMES, np.float16),
            "style": rng.normal(size=128).astype(np.float16),
        }
        if guide:
            clip["guide"] = clip["latents"] + np.float16(0.5)
        np.savez(folder / f"{seed:03d}.npz", **clip)
    return folder


def test_clips_on_the_device_are_the_clips_in_memory(tmp_path: Path) -> None:
    data = prepared(tmp_path / "data", 1)
    shards.pack(data, tmp_path / "shards", 2**20, FRAMES)
    ours, theirs = shards.open_clips(tmp_path / "shards", "cpu"), shards.open_clips(data, "cpu")
    assert isinstance(ours, shards.DeviceClips) and isinstance(theirs, PreparedClips)
    assert len(ours) == len(theirs) == 1 and ours.latent_dim == theirs.latent_dim == 8
    assert ours.guided and theirs.guided
    rng = np.random.default_rng(0)
    here, there = (clips.crop(rng, 3, FRAMES) for clips in (ours, theirs))
    for field in dataclasses.fields(here.score):
        mine, other = getattr(here.score, field.name), getattr(there.score, field.name)
        torch.testing.assert_close(mine, other, msg=field.name, equal_nan=True)
    torch.testing.assert_close(here.latents, there.latents, atol=shards.STEP / 2 + 2e-3, rtol=0)
    assert here.guide is not None and there.guide is not None
    torch.testing.assert_close(here.guide, there.guide, atol=shards.STEP / 2 + 2e-3, rtol=0)
    torch.testing.assert_close(here.style, there.style)


def test_shards_stay_under_their_size_and_new_ones_are_read(tmp_path: Path) -> None:
    data, out = prepared(tmp_path / "data", 5, guide=False), tmp_path / "shards"
    whole = shards.pack(data, out, 2**24, FRAMES)
    assert len(whole) == 1
    size = whole[0].stat().st_size // 2
    parts = shards.pack(data, tmp_path / "small", size, FRAMES)
    assert len(parts) >= 2 and all(path.stat().st_size < 1.1 * size for path in parts)
    late = tmp_path / "late"
    late.mkdir()
    shutil.copy(parts[0], late)
    clips = shards.DeviceClips(late, "cpu")
    before = len(clips)
    for path in parts[1:]:
        shutil.copy(path, late)
    assert clips.refresh() == 5 > before


def test_nothing_to_pack_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SegueError, match="has no clips of 750 frames"):
        shards.pack(prepared(tmp_path / "data", 1), tmp_path / "out", 2**20)
    with pytest.raises(SegueError, match="alone is larger than a shard"):
        shards.pack(tmp_path / "data", tmp_path / "out", 100, FRAMES)


class Stages:
    """Stands for the stages' processes: notes their words, writes their weights, or fails."""

    def __init__(self) -> None:
        self.words: list[list[str]] = []
        self.failing = ""
        self.returncode = 0

    def __call__(self, words: list[str]) -> Stages:
        self.words.append(words)
        self.returncode = int(bool(self.failing) and self.failing in words[2])
        if not self.returncode:
            Path(words[words.index("--export") + 1]).write_bytes(b"weights" * 5)
        self.polls = 0
        return self

    def poll(self) -> int | None:
        self.polls += 1
        return None if self.polls < 3 else self.returncode

    def asked(self) -> list[tuple[str, float]]:
        return [(w[2].rpartition(".")[2], float(w[w.index("--minutes") + 1])) for w in self.words]


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    one = Stages()
    clock = iter(range(0, 10**6, 60))  # each look at the clock is a minute later
    monkeypatch.setattr(subprocess, "Popen", one)
    monkeypatch.setattr("models.training.gpu.run.time.sleep", lambda seconds: None)
    monkeypatch.setattr("models.training.gpu.run.time.monotonic", lambda: float(next(clock)))
    return one


def test_the_stages_share_the_minutes(stages: Stages, tmp_path: Path) -> None:
    assert run.main(["--data", str(tmp_path), "--out", str(tmp_path), "--start", "w"]) == 0
    assert stages.asked() == [("renderer", 22.0), ("distil", 10.0), ("forcing", 8.0)]
    assert len(list((tmp_path / "parts").glob("*.00"))) == 3
    assert run.read_clock(tmp_path) == dict.fromkeys(run.SHARES, 2.0)


def test_a_run_that_stopped_goes_on_with_what_is_left(stages: Stages, tmp_path: Path) -> None:
    words = ["--data", str(tmp_path), "--out", str(tmp_path)]
    stages.failing = "distil"
    assert run.main(words) == 1
    stages.failing = ""
    run.write_clock(tmp_path, {"flow": 22.0, "distil": 4.0, "arc": 0.0})
    stages.words.clear()
    assert run.main(words) == 0
    assert stages.asked() == [("distil", 6.0), ("forcing", 8.0)]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"flow": "x"}', "null"])
def test_a_damaged_clock_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "clock.json").write_text(text)
    assert run.read_clock(tmp_path) == dict.fromkeys(run.SHARES, 0.0)


def _missing(folder: Path) -> None:
    (folder / "w.safetensors.01").unlink()


def _damaged(folder: Path) -> None:
    (folder / "w.safetensors.01").write_bytes(b"x")


def _empty(folder: Path) -> None:
    (folder / "w.safetensors.json").unlink()


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [(_missing, "lacks w.safetensors.01"), (_damaged, "are damaged"), (_empty, "holds no parts")],
)
def test_parts_come_together_again_or_say_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None], sentence: str
) -> None:
    monkeypatch.setattr(run, "PART", 10)
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(bytes(range(25)))
    assert len(run.split(weights, tmp_path / "parts")) == 3
    (whole,) = run.join(tmp_path / "parts", tmp_path / "out")
    assert whole.read_bytes() == weights.read_bytes()
    note = tmp_path / "parts" / "w.safetensors.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"name": "../w.safetensors"}))
    assert run.join(tmp_path / "parts", tmp_path / "out") == [whole], "a name is no path"
    harm(tmp_path / "parts")
    with pytest.raises(SegueError, match=sentence):
        run.join(tmp_path / "parts", tmp_path / "out")


class InThisProcess:
    """Runs a stage here instead of in a process of its own, for one step."""

    def __init__(self, words: list[str]) -> None:
        self.returncode = 0
        module = importlib.import_module(words[2])
        command = [words[2], *words[3:], "--steps=1", "--blocks=2"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", command)
            if hasattr(module, "fastest_format"):  # finding it takes seconds
                patch.setattr(module, "fastest_format", lambda *_: torch.float32)
            module.main()

    def poll(self) -> int | None:
        return self.returncode


def test_from_shards_to_weights_that_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepared(tmp_path / "data", 2, guide=False)
    shards.pack(data, tmp_path / "shards", 2**24, FRAMES)
    out = tmp_path / "run"
    monkeypatch.setattr(subprocess, "Popen", InThisProcess)
    words = ["--data", str(tmp_path / "shards"), "--out", str(out), "--device", "cpu"]
    assert run.main([*words, "--batch", "2", "--minutes", "0.1"]) == 0
    joined = ["--join", str(out / "parts"), "--export", str(tmp_path / "whole")]
    assert run.main(joined) == 0
    for name in run.WEIGHTS.values():
        assert load_inference(tmp_path / "whole" / f"{name}.safetensors").config.latent_dim == 8
    first, second = (
        load_renderer(tmp_path / "whole" / f"{run.WEIGHTS[name]}.safetensors").state_dict()
        for name in ("distil", "arc")
    )
    assert first.keys() == second.keys()
