"""How the studio plays instruments of the performer's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from models.music.score import DRUMS, SAMPLE_RATE
from models.segue.studio.bank import Bank
from models.segue.studio.block import BLOCK
from models.segue.studio.user.library import UserInstruments
from models.segue.studio.user.naming import name_of
from models.segue.studio.voices import OPEN, Motion, SamplerVoice, Tones, follow
from tests.support.sample_files import RATE, hit, note

LEAD = 3


@dataclass(frozen=True)
class Played:
    on: float
    off: float
    part: int
    pitch: int
    velocity: int
    open: bool = False


class Stage:
    """Bank with a library, and what plays of it."""

    def __init__(self) -> None:
        self.library = UserInstruments()
        self.bank = Bank(user=self.library)
        self.tones = Tones(self.bank)

    def voice(
        self, name: str, pitch: int, velocity: int = 100, seconds: float = 0.5
    ) -> SamplerVoice:
        notes = [Played(0.0, seconds, LEAD, pitch, 100)]
        (voice,) = follow((), notes, {LEAD: "flute"}, self.bank, 0, 96_000, 1, {LEAD: name})
        return voice

    def sound(self, voice: SamplerVoice, count: int = 48_000) -> NDArray[np.float32]:
        out = np.zeros((2, count), np.float32)
        for start in range(0, count, BLOCK):
            piece = out[:, start : start + BLOCK]
            self.tones.add(piece, voice, start, Motion(0.0, 0.0))
        return out


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


def hertz_of(sound: NDArray[np.float32]) -> float:
    line = sound[0, 4800:19_200] * np.hanning(14_400)
    power = np.abs(np.fft.rfft(line, 1 << 17))
    return float(np.argmax(power)) * SAMPLE_RATE / (1 << 17)


def test_a_sample_is_played_in_tune_and_goes_on_after_its_end(stage: Stage, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", note(60.2, 0.8), RATE)
    name = name_of(tmp_path / "a.wav")
    voice = stage.voice(name, 64)
    assert voice.sound == "flute"  # not loaded: what the part has without it
    stage.library.load(name, drums=False)
    voice = stage.voice(name, 64, seconds=1.8)
    assert voice.sound == name
    sound = stage.sound(voice, 96_000)
    assert abs(hertz_of(sound) - 329.6) < 1.0
    assert np.abs(sound[:, 60_000:80_000]).max() > 0.5 * np.abs(sound).max()
    assert not sound[:, round((1.8 + voice.release) * SAMPLE_RATE) :].any()
    assert stage.tones.ended(voice, 96_000) and not stage.tones.ended(voice, 60_000)


def test_what_is_unloaded_falls_silent(stage: Stage, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", note(50, 0.8), RATE)
    name = name_of(tmp_path / "a.wav")
    stage.library.load(name, drums=False)
    voice = stage.voice(name, 60)
    assert stage.sound(voice, BLOCK).any()
    stage.library.unload(name)
    assert not stage.sound(voice, BLOCK).any() and stage.tones.ended(voice, BLOCK)
    soundfile.write(tmp_path / "a.wav", note(50, 0.8) * 0.5, RATE)
    stage.library.load(name, drums=False)
    assert stage.sound(voice, BLOCK).any()


def test_layers_envelopes_and_groups(stage: Stage, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "n.wav", note(60, 0.8), RATE)
    (tmp_path / "t.sfz").write_text(
        "<region> sample=n.wav key=60 ampeg_attack=0.5 loop_mode=no_loop\n"
        "<region> sample=n.wav key=62 pan=-100 loop_mode=no_loop\n"
        "<region> sample=n.wav key=62 pan=100 loop_mode=no_loop transpose=12\n"
        "<region> sample=n.wav key=64 group=1 off_by=2 loop_mode=one_shot\n"
        "<region> sample=n.wav key=65 group=2\n"
        "<region> sample=n.wav key=67 ampeg_decay=0.3 ampeg_sustain=0 loop_mode=no_loop\n"
    )
    name = name_of(tmp_path / "t.sfz")
    stage.library.load(name, drums=False)

    def peak(sound: NDArray[np.float32], first: float, last: float) -> float:
        return float(np.abs(sound[:, int(first * 48_000) : int(last * 48_000)]).max())

    slow = stage.sound(stage.voice(name, 60))
    assert 0.0 < peak(slow, 0.0, 0.05) < 0.2 * peak(slow, 0.4, 0.5)
    assert len(stage.tones.layers(stage.voice(name, 62))) == 2
    wide = stage.sound(stage.voice(name, 62))
    left, right = (hertz_of(np.stack([side, side])) for side in wide)
    assert abs(right / left - 2.0) < 0.02
    dying = stage.sound(stage.voice(name, 67))
    assert peak(dying, 0.3, 0.4) < 0.01 * peak(dying, 0.0, 0.1)
    whole = stage.sound(stage.voice(name, 64, seconds=0.1))
    assert peak(whole, 0.3, 0.5) > 0.5 * peak(whole, 0.0, 0.1)  # to its end, held or not
    notes = [Played(0.0, 1.0, LEAD, 64, 100), Played(0.2, 1.0, LEAD, 65, 100)]
    first, second = follow((), notes, {}, stage.bank, 0, 48_000, 1, {LEAD: name})
    assert (first.stop, second.stop) == (9600, OPEN)


def test_a_kit_s_own_pieces_and_the_rest_of_the_style_s(stage: Stage, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "kick.wav", hit(55, 0.1, 0.0), RATE)
    name = name_of(tmp_path / "kick.wav")
    stage.library.load(name, drums=True)
    notes = [Played(0.1 * i, 0.1 * i + 0.05, 0, DRUMS.index(d), 100)
             for i, d in enumerate(("kick", "snare"))]  # fmt: skip
    kick, snare = follow((), notes, {0: "tr909"}, stage.bank, 0, 48_000, 1, {0: name})
    assert (kick.sound, snare.sound) == (name, "tr909")
    sound = stage.sound(kick, 24_000)
    assert np.abs(sound).max() > 0.05 and stage.tones.layers(snare)
