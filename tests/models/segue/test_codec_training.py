"""Training and evaluation of the codec (models/training/codec.py, models/evaluation/codec.py)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from models.evaluation import codec as measuring
from models.segue.codec import Codec
from models.segue.codec import bands as B
from models.training import codec as training
from models.training.sets.patches import Patches, augment, is_held_out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chords and noise in a dozen files, one of them for validation."""
    folder = tmp_path_factory.mktemp("audio")
    rng = np.random.default_rng(0)
    time = np.arange(4 * B.SAMPLE_RATE) / B.SAMPLE_RATE
    names = [name for name in (f"clip{i}" for i in range(60)) if is_held_out(name)][:1]
    names += [name for name in (f"clip{i}" for i in range(20)) if not is_held_out(name)][:5]
    for name in names:
        root = rng.uniform(100, 800)
        wave = 0.2 * np.sin(2 * np.pi * root * time) * np.exp(-4 * (time % 0.5))
        both = np.stack([wave, 0.5 * wave], 1) + 0.01 * rng.normal(size=(len(time), 2))
        soundfile.write(folder / f"{name}.wav", both, B.SAMPLE_RATE)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "BATCH", 2)
    monkeypatch.setattr(training, "LENGTH", 16)


def run(data: Path, out: Path, minutes: float) -> int:
    options = ["--data", str(data), "--out", str(out), "--minutes", str(minutes)]
    return training.main([*options, "--latent", "32", "--threads", "1"])


def test_training_goes_on_and_keeps_the_latents(data: Path, tmp_path: Path) -> None:
    assert run(data, tmp_path, 0.01) == 0
    first = Codec.load(tmp_path / "codec.safetensors")
    log = (tmp_path / "log.jsonl").read_text()
    assert run(data, tmp_path, 0.03) == 0
    second = Codec.load(tmp_path / "codec.safetensors")
    assert len((tmp_path / "log.jsonl").read_text()) >= len(log)
    clip = soundfile.read(next(data.glob("*.wav")), dtype="float32")[0]
    untrained = Codec.load(tmp_path / "untrained.safetensors")
    for other in (first, second):
        np.testing.assert_array_equal(untrained.encode(clip), other.encode(clip))
    changed = second.network.decoder.leave.weight
    assert float(changed.abs().max()) > 0


def test_the_loss_falls(data: Path, tmp_path: Path) -> None:
    """A few dozen steps on one batch must fit it better than the components do."""
    patches = Patches([data], tmp_path)
    patches.refresh()
    assert len(patches.train) == 5 and len(patches.validation) == 1
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    network = training.Autoencoder(training.CodecConfig(latent=8, decoder_width=64))
    training.fix_latents(network, patches, rng)
    network.train()
    optimiser = torch.optim.Adam(network.decoder.parameters(), 1e-3)
    batch = patches.sample(rng, 2, 40)
    losses = []
    for _ in range(40):
        terms = training.loss_terms(training.forward(network, batch, 0.0), batch)
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_varied_level_and_sides_are_those_of_varied_audio() -> None:
    rng = np.random.default_rng(2)
    audio = rng.normal(0, 0.05, (9600, 2)).astype(np.float32) * np.array([1.0, 0.3], np.float32)
    both = []
    for sound in (audio, 2 * audio[:, ::-1]):
        bands, stereo = B.analyse(sound)
        both.append(np.concatenate([bands.reshape(len(stereo), -1), stereo], 1))
    one = torch.ones(1, 1, 1)
    changed = augment(torch.from_numpy(both[0])[None].clone(), 2 * one, one > 0)[0]
    np.testing.assert_allclose(changed.numpy(), both[1], atol=2e-3)


def test_no_clips_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (empty, tmp_path / "nowhere"):
        assert run(folder, tmp_path / "out", 0.01) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_figures_are_right_for_known_changes() -> None:
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, (96_000, 2)).astype(np.float32)
    same = measuring.compare(sound, sound)
    assert same["mel_db"] == 0 and same["convergence"] == 0 and same["buzz"] == 1
    half = measuring.compare(sound, 0.5 * sound)
    assert half["mel_db"] == pytest.approx(6.02, abs=0.25)
    assert half["convergence"] == pytest.approx(0.5, abs=1e-4)
    assert half["highs_db"] == pytest.approx(-6.02, abs=0.01)
    mono = measuring.compare(sound, sound.mean(1, keepdims=True).repeat(2, 1))
    assert mono["width_db"] < -40
    buzzing = sound * (1 + 0.5 * np.sin(2 * np.pi * 100 * np.arange(96_000) / 48_000))[:, None]
    assert measuring.compare(sound, buzzing.astype(np.float32))["buzz"] > 3
    assert measuring.si_sdr(sound[:, 0], 3 * sound[:, 0]) > 60


def test_measuring_writes_figures_and_pictures(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = training.Autoencoder(training.CodecConfig(latent=32, decoder_width=16))
    patches = Patches([data], tmp_path / "cache")
    patches.refresh()
    training.fix_latents(network, patches, np.random.default_rng(0))
    Codec(network).save(tmp_path / "w.safetensors")
    options = ["--data", str(data), "--weights", str(tmp_path / "w.safetensors")]
    out = tmp_path / "figures"
    assert measuring.main([*options, "--out", str(out), "--clips", "1", "--seconds", "2"]) == 0
    versions = json.loads((out / "codec.json").read_text())["versions"]
    assert versions["bands"]["mel_db"] < versions["w"]["mel_db"] < 10
    assert len((out / "codec.md").read_text().splitlines()) == 4 + len(versions)
    assert (out / "codec_0.png").stat().st_size > 10_000
