"""Subtractive synthesiser: leads, pads, basses, stabs, chip waves and bowed strings.

A `Voice` is a recipe; `play` varies it by its `loose` fields and renders notes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.synth import kernels
from models.music.score import SAMPLE_RATE

A4: Final = 440.0


def hertz(pitch: float) -> float:
    """Frequency in Hz of a MIDI pitch, equal temperament, A4 = 440 Hz."""
    return float(A4 * 2.0 ** ((pitch - 69) / 12))


@dataclass(frozen=True)
class Voice:
    """Parameters of a subtractive voice. Times in seconds, cutoff in Hz at middle C, LFO in octaves."""

    saw: float = 0.0
    pulse: float = 0.0
    tri: float = 0.0
    sine: float = 0.0
    sub: float = 0.0  # a sine one octave below
    noise: float = 0.0
    width: float = 0.5
    pwm: float = 0.0
    pwm_rate: float = 0.4
    unison: int = 1
    detune: float = 12.0  # cents of the outermost voice
    spread: float = 0.8
    attack: float = 0.004
    decay: float = 0.4
    sustain: float = 0.8
    release: float = 0.08
    cutoff: float = 4000.0
    track: float = 0.4  # share of the pitch that the cutoff follows
    env: float = 0.0  # octaves
    f_attack: float = 0.001
    f_decay: float = 0.3
    f_sustain: float = 0.0
    res: float = 0.1
    mode: int = 0  # 0 low-pass 12 dB, 1 band-pass, 2 high-pass, 3 low-pass 24 dB
    lfo_beats: float = 0.0  # length of the filter LFO in beats; 0 = use lfo_rate
    lfo_rate: float = 0.0  # Hz
    lfo_oct: float = 0.0
    lfo_shape: int = 0  # 0 sine, 1 falling saw, 2 square
    vib_rate: float = 5.5
    vib: float = 0.0  # cents
    vib_delay: float = 0.25
    drive: float = 0.0
    glide: float = 0.0  # seconds from the note before, when notes touch
    vel_cut: float = 0.8  # octaves of cutoff per velocity
    trem_rate: float = 5.0
    trem: float = 0.0
    fixed: bool = False  # no random variation

    def vary(self, rng: np.random.Generator) -> Voice:
        """A random variation of the voice."""
        if self.fixed:
            return self
        return replace(
            self,
            detune=min(40.0, self.detune * rng.uniform(0.6, 1.5)),
            cutoff=self.cutoff * 2.0 ** rng.uniform(-0.8, 0.8),
            res=min(0.95, self.res * rng.uniform(0.5, 1.4)),
            env=self.env * rng.uniform(0.6, 1.3),
            f_decay=self.f_decay * rng.uniform(0.5, 2.0),
            attack=self.attack * rng.uniform(0.6, 1.7),
            decay=self.decay * rng.uniform(0.6, 1.6),
            release=self.release * rng.uniform(0.6, 1.8),
            width=float(np.clip(self.width + rng.uniform(-0.15, 0.15), 0.08, 0.9)),
            pwm=self.pwm * rng.uniform(0.3, 1.3),
            pwm_rate=self.pwm_rate * rng.uniform(0.5, 2.0),
            unison=max(1, self.unison + int(rng.integers(-1, 2)))
            if self.unison > 3
            else self.unison,
            spread=self.spread * rng.uniform(0.5, 1.1),
            lfo_rate=self.lfo_rate * rng.uniform(0.6, 1.6),
            lfo_oct=self.lfo_oct * rng.uniform(0.7, 1.2),
            vib=self.vib * rng.uniform(0.5, 1.4),
            vib_rate=self.vib_rate * rng.uniform(0.85, 1.15),
            drive=self.drive * rng.uniform(0.4, 1.6),
            sub=self.sub * rng.uniform(0.5, 1.3),
            noise=self.noise * rng.uniform(0.5, 1.5),
        )

    def vector(self, bpm: float) -> NDArray[np.float64]:
        """Parameters in the order of `kernels`."""
        rate = bpm / 60.0 / self.lfo_beats if self.lfo_beats else self.lfo_rate
        values = (
            self.saw, self.pulse, self.tri, self.sine, self.sub, self.noise, self.width, self.pwm,
            self.pwm_rate, self.unison, self.detune, self.spread, self.attack, self.decay,
            self.sustain, self.release, self.cutoff, self.track, self.env, self.f_attack,
            self.f_decay, self.f_sustain, self.res, self.mode, rate, self.lfo_oct, self.lfo_shape,
            self.vib_rate, self.vib, self.vib_delay, self.drive, self.glide, self.vel_cut,
            self.trem_rate, self.trem,
        )  # fmt: skip
        return np.array(values, np.float64)


V = Voice
VOICES: Final[dict[str, Voice]] = {
    "supersaw": V(saw=0.5, unison=7, detune=22, attack=0.005, release=0.25, cutoff=6500, res=0.1,
                  env=1.0, f_decay=0.5, f_sustain=0.5, sub=0.1, sustain=0.85, spread=1.0),
    "saw_lead": V(saw=0.6, unison=2, detune=8, cutoff=3500, env=1.2, f_decay=0.35, res=0.25, vib=14,
                  glide=0.05, f_sustain=0.3, spread=0.3),
    "square_lead": V(pulse=0.5, width=0.5, cutoff=3000, env=0.8, res=0.15, vib=18, glide=0.04,
                     f_sustain=0.4),
    "chip_square": V(pulse=0.45, width=0.5, cutoff=16000, track=0, res=0, attack=0.001, decay=0.25,
                     sustain=0.55, release=0.02, vel_cut=0, vib=12, vib_delay=0.2, fixed=True),
    "chip_square_25": V(pulse=0.45, width=0.25, cutoff=16000, track=0, res=0, attack=0.001,
                        decay=0.2, sustain=0.5, release=0.02, vel_cut=0, vib=12, fixed=True),
    "chip_square_12": V(pulse=0.45, width=0.125, cutoff=16000, track=0, res=0, attack=0.001,
                        decay=0.3, sustain=0.4, release=0.02, vel_cut=0, vib=16, fixed=True),
    "chip_triangle": V(tri=0.8, cutoff=14000, track=0, res=0, attack=0.001, sustain=1.0,
                       release=0.015, vel_cut=0, fixed=True),
    "synth_pad": V(saw=0.4, pulse=0.2, width=0.4, pwm=0.15, unison=4, detune=14, attack=0.25,
                   release=0.8, cutoff=1800, env=0.8, f_attack=0.6, f_decay=2.5, f_sustain=0.5,
                   res=0.15, sustain=0.9, lfo_rate=0.12, lfo_oct=0.5),
    "warm_pad": V(saw=0.4, unison=4, detune=10, attack=0.4, release=1.0, cutoff=700, res=0.1, mode=3,
                  sustain=0.95, sub=0.25, lfo_rate=0.1, lfo_oct=0.3),
    "dream_pad": V(tri=0.4, sine=0.3, saw=0.08, noise=0.015, unison=4, detune=16, attack=0.5,
                   release=1.6, cutoff=2500, sustain=0.95, lfo_rate=0.2, lfo_oct=0.7, trem=0.2,
                   trem_rate=0.8, spread=1.0),
    "pluck_synth": V(saw=0.5, pulse=0.2, unison=2, detune=9, attack=0.001, decay=0.35, sustain=0.0,
                     release=0.2, cutoff=900, env=3.2, f_decay=0.18, res=0.3, spread=0.5),
    "stab": V(saw=0.5, pulse=0.25, unison=4, detune=14, attack=0.001, decay=0.3, sustain=0.05,
              release=0.12, cutoff=1200, env=2.2, f_decay=0.2, res=0.25, mode=3, drive=0.4),
    "dirty_synth": V(saw=0.6, pulse=0.5, width=0.35, unison=3, detune=30, attack=0.002, cutoff=1800,
                     env=1.5, res=0.45, drive=5.0, lfo_rate=0.7, lfo_oct=0.6, sub=0.3, glide=0.05),
    "dirty_hoover": V(saw=0.5, pulse=0.5, pwm=0.1, pwm_rate=2.0, unison=5, detune=14, sub=0.2,
                      attack=0.01, cutoff=4000, drive=0.8, vib=9, vib_delay=0, glide=0.08),
    "synth_brass": V(saw=0.55, unison=3, detune=9, attack=0.035, release=0.15, cutoff=700, env=2.3,
                     f_attack=0.06, f_decay=0.5, f_sustain=0.55, res=0.12, mode=3, spread=0.6),
    "glitch_synth": V(pulse=0.5, noise=0.12, width=0.2, pwm=0.3, pwm_rate=7, attack=0.001,
                      decay=0.12, sustain=0.25, release=0.03, cutoff=3000, res=0.6, lfo_beats=0.125,
                      lfo_oct=1.6, lfo_shape=2, drive=2.0, mode=0),
    "synth_bass": V(saw=0.6, pulse=0.2, sub=0.3, cutoff=500, env=2.0, f_decay=0.2, res=0.3, mode=3,
                    decay=0.5, sustain=0.6, release=0.05, glide=0.03, track=0.3),
    "square_bass": V(pulse=0.6, sub=0.3, cutoff=450, env=1.6, f_decay=0.15, res=0.25, mode=3,
                     decay=0.3, sustain=0.5, release=0.05),
    "sub_bass": V(sine=0.9, tri=0.12, cutoff=600, attack=0.006, sustain=0.95, release=0.07, res=0,
                  drive=0.5, track=0.2, glide=0.04),
    "sub_bass_808": V(sine=0.9, cutoff=900, attack=0.002, decay=1.6, sustain=0.25, release=0.15,
                      res=0, drive=1.6, glide=0.08, env=1.5, f_decay=0.06),
    "acid_bass": V(saw=0.8, cutoff=420, env=3.0, f_decay=0.18, res=0.86, mode=3, decay=0.5,
                   sustain=0.4, release=0.03, glide=0.06, vel_cut=2.5, drive=0.6, track=0.2),
    "acid_square": V(pulse=0.8, cutoff=380, env=3.0, f_decay=0.16, res=0.86, mode=3, decay=0.5,
                     sustain=0.4, release=0.03, glide=0.06, vel_cut=2.5, drive=0.6, track=0.2),
    "reese_bass": V(saw=0.6, unison=3, detune=32, spread=0.5, sub=0.35, cutoff=800, res=0.2, mode=3,
                    lfo_rate=0.25, lfo_oct=0.7, sustain=0.95, release=0.08, drive=1.2, glide=0.05,
                    track=0.2),
    "wobble_bass": V(saw=0.6, pulse=0.4, sub=0.4, unison=3, detune=14, cutoff=600, res=0.5, mode=3,
                     lfo_beats=0.5, lfo_oct=2.0, sustain=1.0, release=0.04, drive=2.0, track=0.1),
    "erhu": V(saw=0.6, noise=0.01, attack=0.07, sustain=0.9, release=0.1, cutoff=2600, res=0.2,
              vib=28, vib_delay=0.15, vib_rate=5.8, glide=0.09, f_sustain=0.6, env=0.6,
              f_attack=0.1),
    "hurdy_gurdy": V(saw=0.55, pulse=0.2, width=0.2, noise=0.02, attack=0.03, sustain=0.95,
                     release=0.06, cutoff=4500, res=0.2, unison=2, detune=6, trem=0.25,
                     trem_rate=3.2, vib=8, spread=0.2),
    "didgeridoo": V(pulse=0.6, saw=0.3, width=0.12, noise=0.02, attack=0.06, sustain=0.95,
                    release=0.15, cutoff=500, track=0, res=0.72, mode=0, lfo_beats=1.0, lfo_oct=1.1,
                    trem=0.3, trem_rate=3.0, vib=10, drive=0.6),
    "slow_strings": V(saw=0.4, unison=6, detune=16, attack=0.18, release=0.4, cutoff=3200, res=0.05,
                      vib=10, sustain=0.95, spread=1.0, mode=0),
}  # fmt: skip


def play(
    name: str, notes: NDArray[np.void], seconds: float, rng: np.random.Generator, bpm: float
) -> NDArray[np.float32]:
    """Render `notes` (on, off, pitch, velocity; sorted) with a variation of a voice -> (n, 2)."""
    voice = VOICES[name].vary(rng)
    if voice.lfo_beats and name.startswith("wobble"):
        voice = replace(
            voice, lfo_beats=float(rng.choice([0.25, 1 / 3, 0.5, 0.5, 0.75, 1.0])),
            lfo_shape=int(rng.choice([0, 0, 1])),
        )  # fmt: skip
    vector = voice.vector(bpm)
    out = np.zeros((round(seconds * SAMPLE_RATE), 2))
    before, before_off = -1.0, -1.0
    for index, note in enumerate(notes):
        freq = hertz(float(note["pitch"]))
        on, off = float(note["on"]), float(note["off"])
        touching = voice.glide > 0 and before > 0 and on - before_off < 0.03
        held = max(64, round((off - on) * SAMPLE_RATE))
        phase = rng.random(voice.unison + 1)
        kernels.subtractive(
            out, round(on * SAMPLE_RATE), held, before if touching else freq, freq,
            float(note["velocity"]) / 127.0, vector, phase, int(index + 1) * 7919,
        )  # fmt: skip
        before, before_off = freq, off
    return out.astype(np.float32)
