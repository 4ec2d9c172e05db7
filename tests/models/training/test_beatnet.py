"""The published network, converted, says frame by frame what PyTorch says of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from models.errors import SegueError
from models.music.score import SAMPLE_RATE
from models.music.tracking.beatnet import (
    BANDS,
    KERNEL,
    STRIDE,
    UNITS,
    hear_beats,
    initial_beatnet,
    quarter_tones,
)
from models.music.tracking.weights import load_ear_weights, read_beatnet
from models.training.beatnet import converted


class PublishedNetwork(nn.Module):
    """The network as its authors have it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, 2, KERNEL)
        self.linear0 = nn.Linear(2 * BANDS - KERNEL, UNITS)
        self.lstm = nn.LSTM(UNITS, UNITS, 2, batch_first=True)
        self.linear = nn.Linear(UNITS, 3)

    def forward(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Chances (frames, 3) of a spectrogram (frames, 2 * BANDS)."""
        found = nn.functional.max_pool1d(torch.relu(self.conv1(spectrum[:, None])), 2)
        hidden = self.lstm(self.linear0(found.flatten(1))[None])[0][0]
        return torch.softmax(self.linear(hidden), dim=1)


def test_the_network_in_frames_is_that_of_pytorch(tmp_path: Path) -> None:
    torch.manual_seed(1)
    published = PublishedNetwork()
    with torch.no_grad():
        for value in published.parameters():
            value.mul_(4).copy_(value.half().float())  # what half precision keeps
    table = converted(published.state_dict())
    table = {name: np.ascontiguousarray(value) for name, value in table.items()}
    save_file(table, tmp_path / "beatnet.safetensors")
    network, state = read_beatnet(tmp_path / "beatnet.safetensors"), initial_beatnet()
    sound = 0.7 * np.sin(np.arange(20 * STRIDE) ** 1.3 / 90).astype(np.float32)
    spectra, given = [], []
    for start in range(0, len(sound), STRIDE):
        before = state.bands
        state, beat, downbeat = hear_beats(network, state, sound[start : start + STRIDE])
        rise = np.maximum(state.bands - before, 0) if start else np.zeros_like(before)
        spectra.append(np.concatenate([state.bands, rise]))
        given.append((beat, downbeat))
    with torch.no_grad():
        wanted = published(torch.from_numpy(np.array(spectra))).numpy()
    assert np.ptp(wanted) > 0.05
    assert np.array(given)[:, 1] == pytest.approx(wanted[:, 1], abs=2e-3)
    assert np.array(given)[:, 0] == pytest.approx(wanted[:, 0] + wanted[:, 1], abs=2e-3)


def test_quarter_tones_are_triangles_of_area_one() -> None:
    filters = quarter_tones()
    assert len(filters) == BANDS
    assert filters.sum(axis=1) == pytest.approx(np.ones(BANDS), abs=1e-5)
    assert (np.diff(filters.argmax(axis=1)) > 0).all()


@pytest.mark.parametrize("level", [0.5, 0.02])
def test_a_drum_beat_is_heard_60_ms_later_loud_or_quiet(level: float) -> None:
    rng = np.random.default_rng(2)
    sound = np.zeros(8 * SAMPLE_RATE, np.float32)
    beats = np.arange(0.4, 7.8, 0.5)
    at = np.arange(4800) / SAMPLE_RATE
    for number, beat in enumerate(beats):
        kick = np.sin(2 * np.pi * 60 * at) * np.exp(-at / 0.05)
        snare = rng.standard_normal(4800) * np.exp(-at / 0.03)
        start = round(beat * SAMPLE_RATE)
        sound[start : start + 4800] += level * (snare if number % 2 else kick)
    network, state, heard = load_ear_weights().beats.beatnet, initial_beatnet(), []
    for start in range(0, len(sound), STRIDE):
        state, beat, _ = hear_beats(network, state, sound[start : start + STRIDE])
        heard.append(beat)
    line = np.array(heard)
    times = (np.arange(len(line)) + 1) * STRIDE / SAMPLE_RATE - 0.06
    late = [line[np.abs(times - beat).argmin() + np.arange(-1, 2)].max() for beat in beats[4:]]
    assert np.mean(late) > 0.5
    assert np.mean(line) < 0.2


def test_a_damaged_file_is_named_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "beatnet.safetensors"
    with pytest.raises(SegueError, match="missing"):
        read_beatnet(path)
    path.write_bytes(b"nothing")
    with pytest.raises(SegueError, match="damaged"):
        read_beatnet(path)
    save_file({"conv.weight": np.zeros((2, 3), np.float16)}, path)
    with pytest.raises(SegueError, match="damaged"):
        read_beatnet(path)
