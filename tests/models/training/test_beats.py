"""Tests of the beat network's training: it learns taps, and is shipped as it was trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.music.tracking.beat_network import BeatNetwork, RecurrentLayer
from models.music.tracking.front_end import BANDS
from models.training import beats
from models.training.beats import (
    BeatNet,
    added,
    augmented,
    example,
    fit,
    named_weights,
    rises,
    tapped,
)


def shipped(net: BeatNet) -> BeatNetwork:
    """The network as it is read from a weights file."""
    table = named_weights(net, "beat")

    def layer(name: str) -> RecurrentLayer:
        parts = ("input_weight", "state_weight", "input_bias", "state_bias")
        return RecurrentLayer(*(table[f"beat.{name}.{part}"] for part in parts))

    enter, leave = (
        (table[f"beat.{name}.weight"], table[f"beat.{name}.bias"]) for name in ("enter", "leave")
    )
    return BeatNetwork(*enter, layer("first"), layer("second"), *leave)


def test_frame_by_frame_as_all_at_once() -> None:
    torch.manual_seed(1)
    net = BeatNet()
    network = shipped(net)
    inputs = np.random.default_rng(0).uniform(0, 1, (40, 2 * BANDS)).astype(np.float32)
    with torch.no_grad():
        whole = torch.sigmoid(net(torch.from_numpy(inputs)[None]))[0].numpy()
    state, found = network.initial(), []
    for row in inputs:
        state, beat, downbeat = network.step(state, row[:BANDS], row[BANDS:] / 8.0)
        found.append((beat, downbeat))
    assert np.allclose(found, whole, atol=1e-5)


def test_taps_are_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "LENGTH", 200)
    monkeypatch.setattr(beats, "SECONDS", 8.0)
    songs = [tapped(0)]
    before, after = fit(songs, 1, batch=2), fit(songs, 8, batch=2)
    inputs, wanted = example(songs, np.random.default_rng(9))
    known = wanted[:, 2] > 0
    losses = []
    for net in (before, after):
        with torch.no_grad():
            chance = torch.sigmoid(net(torch.from_numpy(inputs)[None]))[0, :, 0].numpy()[known]
        truth = wanted[known, 0]
        losses.append(-np.mean(truth * np.log(chance) + (1 - truth) * np.log(1 - chance)))
    assert losses[1] < 0.7 * losses[0]


def test_changes_of_a_recording_keep_its_beats() -> None:
    mel = np.zeros((600, BANDS), np.float32)
    mel[::50] = 0.9
    line, factor = augmented(mel, np.random.default_rng(2))
    strongest = rises(line).mean(axis=1)
    peaks = np.flatnonzero(strongest > 0.3 * strongest.max())
    places = np.arange(0, 600, 50) / factor
    assert all(np.abs(places - peak).min() < 3 for peak in peaks) and len(peaks) >= 5
    assert added(mel[:1], mel[:1])[0, 0] == pytest.approx(0.9 + np.log10(2) / 3, abs=1e-3)
