"""Training of the style model: captions, augmentation, and a small run that resumes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.music.score import EVENT
from models.segue.style import anchors, terms
from models.segue.style.audio_tower import AudioTower
from models.segue.style.model import StyleModel
from models.training import style
from models.training import text_head as style_text
from models.training.sets import mel_set as style_data
from models.training.style_evaluation import evaluate_audio

RATE = 48000


def write_corpus(folder: Path, count: int, seconds: int = 4) -> None:
    """Clips of a low or a high tone, called Tuba and Glockenspiel."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    t = np.arange(seconds * RATE) / RATE
    for number in range(count):
        high = number % 2
        hz = (2000 if high else 90) * 2 ** rng.uniform(0, 0.5)
        tone = np.sin(2 * np.pi * hz * t) + 0.01 * rng.standard_normal(len(t))
        audio = np.round(8000 * np.stack([tone, tone], 1)).astype(np.int16)
        term = "Glockenspiel" if high else "Tuba"
        meta = {"terms": [[term, 1.0]], "captions": [term.lower(), f"a {term}"]}
        np.save(folder / f"{number:06d}.npy", audio)
        np.savez(
            folder / f"{number:06d}.npz",
            events=np.zeros(0, EVENT),
            bpm=np.float32(120),
            brightness=np.zeros(round(len(audio) / 1920), np.float32),
            json=np.array(json.dumps(meta)),
        )


def test_captions_leave_held_out_words_out() -> None:
    unknown = style_text.held_out_synonyms()
    assert 100 < len(unknown) < 400
    made = style_text.captions(300, np.random.default_rng(0), unknown)
    for text, mixture in made:
        assert sum(mixture.values()) == pytest.approx(1)
        words = f" {' '.join(terms.tokens(text))} "
        assert not any(f" {' '.join(terms.tokens(word))} " in words for word in unknown)
    spoken = {text for text, _ in style_text.phrases(unknown)}
    assert not spoken & unknown


def test_shares_are_smoothed_towards_kin() -> None:
    row = style_text.shares([{"Techno": 0.5, "Harp": 0.5}])[0]
    assert row.sum() == pytest.approx(1)
    assert row[terms.INDEX["Techno"]] > 0.45
    assert row[terms.INDEX["Trance"]] > 0 == row[terms.INDEX["Tuba"]]


class Counting:
    """A sentence encoder that takes a second of `clock` for each batch, and counts texts."""

    def __init__(self, clock: list[float]) -> None:
        self.clock, self.texts = clock, 0

    def embed(self, texts: list[str]) -> torch.Tensor:
        self.clock[0] += 1.0
        self.texts += len(texts)
        return torch.nn.functional.normalize(torch.randn(len(texts), 384), dim=-1)


def test_captions_and_steps_of_the_text_head_keep_to_their_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(style_text.time, "monotonic", lambda: clock[0])
    encoder = Counting(clock)
    texts = style_text.CaptionEncoder(encoder)  # type: ignore[arg-type]
    at_once = style_text.make_set(texts, 12_000, 1, set(), 0.0)
    assert len(at_once.x) == len(at_once.y) == len(style_text.phrases(set()))
    seen, clock[0] = encoder.texts, 0.0
    some = style_text.make_set(texts, 12_000, 1, set(), 9.0)
    # Phrases are known; each further second brings 128 captions, in groups of four seconds.
    drawn = len(some.x) - len(at_once.x)
    assert drawn % style_text.GROUP == 0 and 0 < drawn <= 4 * style_text.GROUP
    assert 9.0 <= clock[0] < 9.0 + style_text.GROUP / 128
    assert encoder.texts - seen <= drawn, "a text was embedded twice"
    everything = style_text.make_set(texts, 1000, 1, set(), 1e6)
    assert len(everything.x) == len(at_once.x) + 1000

    head = style_text.make_head(texts, set())
    before = {name: value.clone() for name, value in head.state_dict().items()}
    forward = head.forward

    def slow(x: torch.Tensor) -> torch.Tensor:
        clock[0] += 2.0
        return forward(x)

    monkeypatch.setattr(head, "forward", slow)
    assert style_text.steps_within(head, some, 106.0) == 50
    assert style_text.steps_within(head, some, 1.0) == 1
    assert style_text.steps_within(head, some, 1e6) == style_text.STEPS
    assert all(torch.equal(before[name], value) for name, value in head.state_dict().items())


def test_export_begins_a_file_with_the_anchors(tmp_path: Path) -> None:
    path = tmp_path / "new" / "style.safetensors"
    style.export(path, {"x": torch.ones(2)}, None)
    state = load_file(path)
    assert set(state) == {"anchors", "head.x"}
    assert torch.equal(state["anchors"], torch.from_numpy(anchors.load()))


def test_mixing_adds_power_by_share() -> None:
    power = torch.zeros(2, 50, 80)
    power[0, :, 10], power[1, :, 60] = 1.0, 100.0
    shares = torch.eye(2, 120)
    for seed in range(20):
        mixed, target, which = style_data.mix(power, shares, np.random.default_rng(seed), 1.0)
        assert torch.allclose(target.sum(1), torch.ones(2))
        for row in range(2):
            if not which[row]:
                assert (target[row] == shares[row]).all()
                continue
            louder = mixed[row, 0, 10] > mixed[row, 0, 60]
            assert bool(louder) == bool(target[row, 0] > target[row, 1])


def test_degraded_mels_stay_sound() -> None:
    rng = np.random.default_rng(2)
    power = torch.rand(6, 200, 80) ** 4
    for _ in range(20):
        out = style_data.degrade(power.clone(), rng)
        assert out.shape == power.shape and out.isfinite().all() and out.min() >= 0
        assert out.mean() > 0


def test_a_tiny_run_learns_stops_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_corpus(tmp_path / "corpus", 20, 3)
    weights = tmp_path / "style.safetensors"
    shutil.copy(anchors.WEIGHTS, weights)
    command = ["--data", str(tmp_path / "corpus"), "--out", str(tmp_path / "run")]
    command += ["--weights", str(weights), "--batch", "6", "--device", "cpu"]
    assert style.main([*command, "--steps", "4"]) == 0
    assert (tmp_path / "run" / "state.safetensors").exists()
    assert style.main([*command, "--steps", "40"]) == 0
    assert "trained 40 steps on" in capsys.readouterr().out
    state = load_file(weights)
    assert torch.equal(state["anchors"], load_file(anchors.WEIGHTS)["anchors"])
    assert state["tower.scale"].dtype == torch.float16
    model = StyleModel.load(weights=weights)
    t = np.arange(3 * RATE) / RATE
    for hz, term, other in ((2500, "Glockenspiel", "Tuba"), (110, "Tuba", "Glockenspiel")):
        tone = np.sin(2 * np.pi * hz * t).astype(np.float32)
        shares = model.audio_shares(tone, RATE)
        assert shares[terms.INDEX[term]] > shares[terms.INDEX[other]]


def test_evaluation_counts_right_and_wrong() -> None:
    class Knowing(AudioTower):
        """A tower that maps band i to term i."""

        def forward(self, bands: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.pad(bands.mean(1) * 30, (0, 40))

    tower = Knowing(torch.from_numpy(anchors.load())).eval()
    items = []
    for band in range(20):
        mel = np.full((1200, 80), -60, np.float16)
        mel[:, band] = 0
        truth = np.zeros(120, np.float32)
        truth[band if band < 15 else band + 50] = 1
        items.append(style_data.LabelledClip(str(band), mel, truth, np.zeros((1, 128), np.float32)))
    figures = evaluate_audio(tower, items, pairs=5)
    assert figures["audio top 1"] == pytest.approx(0.75)
    assert figures["held-out clips"] == 20 and figures["terms among them"] == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "Nothing to train"), (["--data", "/no/such/folder"], "There is no folder")],
)
def test_command_line_errors(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert style.main([*arguments, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
