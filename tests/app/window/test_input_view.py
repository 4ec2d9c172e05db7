"""The input as it comes in: tuner and the spectrogram's band."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from app.audio.input.history import InputHistory
from app.audio.shared_memory import WORDS
from app.window.panels.input_strip import tuner_text
from app.window.spectrogram.input_band import HOP, InputBand
from tests.app.window.test_input import plug_in
from tests.support.fake_player import FakeMemory
from tests.support.rig import Rig

RATE = 48_000


def tone(hertz: float, seconds: float) -> np.ndarray:
    line = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(line[:, None], 2, axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("midi", "text"),
    [(69.0, "A4 0"), (69.03, "A4 0"), (59.88, "C4 -12"), (42.5, "F#2 +50"), (60.41, "C4 +41")],
)
def test_the_tuner_says_note_and_cents(midi: float, text: str) -> None:
    assert tuner_text(midi) == text


def drawn(band: InputBand) -> np.ndarray:
    """The band over 4 s of plan, (rows, columns, RGB)."""
    image = QImage(400, 44, QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    band.paint(painter, QRectF(0, 0, 400, 100), lambda position: position / RATE * 100, 1.0)
    painter.end()
    pixels = np.frombuffer(image.bits(), np.uint8).reshape(44, 400, 4)
    return pixels[:, :, :3].astype(int)


def test_sound_is_drawn_where_it_was_heard(qapp: object) -> None:
    band = InputBand()
    assert not drawn(band).any()
    band.add(RATE, tone(440.0, 1.0))
    quiet = drawn(band)[:, 250:380].max()
    loud = drawn(band)
    assert loud[:, 110:190].max() > quiet + 60 and loud[:, 250:380].max() == quiet
    rows = loud[:40, 150].sum(axis=1)
    assert 10 < rows.argmax() < 34  # 440 Hz: neither the top nor the bottom
    # However it comes in, the columns are the same.
    split = InputBand()
    sound = tone(440.0, 1.0)
    for start in range(0, len(sound), 700):
        split.add(RATE + start, sound[start : start + 700])
    assert np.array_equal(drawn(split)[:, 110:190], loud[:, 110:190])
    band.forget()
    assert not drawn(band).any()


def test_the_window_shows_pitch_and_words(rig: Rig) -> None:
    plug_in(rig)
    history = rig.output.input = InputHistory(
        np.zeros(WORDS, np.int64), np.zeros((4 * RATE, 2), np.float32)
    )
    memory, follow = rig.window.playback.memory, rig.window.playback.follow
    assert isinstance(memory, FakeMemory)
    meter, band = rig.window.widgets.input.meter, rig.window.spectrogram.plot.input_band
    history.write(HOP, tone(440.0, 0.5))
    memory.notes = [(HOP + 2000, 69.02)]
    rig.window.input.view._next = 0  # the input before had come further
    follow.text = "120 bpm, A minor"  # type: ignore[attr-defined]
    for _ in range(4):
        rig.window.input.frame()
    assert meter._pitch == "A4 0"
    assert [text for _, text in band.words] == ["A4", "120 bpm, A minor"]
    assert band.shown
    rig.window.input.view.close()
    assert meter._pitch == "" and not band.shown and math.isfinite(band.version)
