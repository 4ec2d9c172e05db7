"""Synthesiser, drums, effects and measurements of the corpus, without sound banks."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from numpy.typing import NDArray

from models.corpus.sound import effects, measure, mix
from models.corpus.sound import reverb as space
from models.corpus.sound.drums import HAND_DRUMS, SYNTHETIC, play_drums
from models.corpus.sound.presets import SOUNDS
from models.corpus.sound.soundfont import Program
from models.corpus.sound.voices import PLAYERS, fold_octaves, play_recipe, remove_overlaps
from models.corpus.synth import lines
from models.corpus.synth.subtractive import VOICES
from models.corpus.synth.tones import BODIES, FM, PLUCKS
from models.errors import SegueError
from models.music.score import DRUMS, EVENT, INSTRUMENTS, KITS, SAMPLE_RATE

RNG = np.random.default_rng


def note(pitch: int, on: float = 0.05, off: float = 0.75, velocity: int = 95) -> NDArray[np.void]:
    """One note of the bass part."""
    event = np.zeros(1, EVENT)
    event["on"], event["off"], event["pitch"], event["velocity"] = on, off, pitch, velocity
    event["part"] = 1
    return event


def cents_off(x: NDArray[np.float32], pitch: int) -> float:
    """Deviation in cents of the best harmonic comb within +-150 cents of a pitch."""
    size = 1 << 17
    spectrum = np.sqrt(np.abs(np.fft.rfft(x * np.hanning(len(x)), size)))
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    grid = np.arange(-150, 151, 3)
    best = []
    for cents in grid:
        comb = np.arange(1, 9) * f0 * 2 ** (cents / 1200)
        comb = comb[comb < 18000] * size / SAMPLE_RATE
        weight = 0.85 ** np.arange(len(comb))
        best.append(float(np.interp(comb, np.arange(len(spectrum)), spectrum) @ weight))
    return float(grid[int(np.argmax(best))])


PATCHES = [f"{kind}:{name}" for kind, table in
           (("sub", VOICES), ("fm", FM), ("pluck", PLUCKS), ("body", BODIES))
           for name in table]  # fmt: skip


@pytest.mark.parametrize("patch", PATCHES)
def test_own_patches_are_in_tune(patch: str) -> None:
    """Within 30 cents of the pitch: low, middle and high."""
    users = [s for s in SOUNDS.values() if any(patch in r.split("+") for r in s.recipes + s.held)]
    assert users, f"nobody plays {patch}"
    sound = users[0]
    voice = VOICES.get(patch.removeprefix("sub:"))
    # A voice made of strings 30 cents apart has no pitch that is sharper than that.
    tolerance = 42 if voice is not None and voice.detune >= 30 else 30
    for pitch in {sound.low + 5, (sound.low + sound.high) // 2, sound.high - 9}:
        audio = play_recipe(patch, note(pitch), 0.9, RNG(5), 120.0, sound)
        assert audio.shape == (round(0.9 * SAMPLE_RATE), 2)
        assert np.isfinite(audio).all()
        assert np.abs(audio).max() > 1e-3
        piece = audio[round(0.08 * SAMPLE_RATE) : round(0.7 * SAMPLE_RATE)].sum(1)
        assert abs(cents_off(piece, pitch)) <= tolerance, (patch, pitch)


def test_every_instrument_has_sounds_that_exist() -> None:
    assert set(SOUNDS) == set(INSTRUMENTS) - {"none"}
    tables: dict[str, Collection[str]] = {"sub": VOICES, "fm": FM, "pluck": PLUCKS, "body": BODIES}
    for name, sound in SOUNDS.items():
        assert sound.high - sound.low >= 12, name
        assert sound.effect in effects.EFFECTS, name
        assert not set(sound.held) & set(sound.recipes), name
        for source in "+".join(sound.recipes + sound.held).split("+"):
            kind, _, patch = source.partition(":")
            if patch:
                assert patch in tables[kind] and kind in PLAYERS, source
            else:
                assert 0 <= Program.parse(source).program < 128, source


def test_held_out_sounds_are_for_evaluation_only() -> None:
    sound = SOUNDS["piano"]
    train = {sound.choose(RNG(seed), "train") for seed in range(60)}
    assert train == set(sound.recipes)
    assert set(sound.held) <= {sound.choose(RNG(seed), "eval") for seed in range(60)}


@pytest.mark.parametrize("kit", sorted({*SYNTHETIC, *HAND_DRUMS}))
def test_every_drum_of_a_synthetic_kit_sounds(kit: str) -> None:
    for index, name in enumerate(DRUMS):
        hit = note(index, 0.1, 0.15)
        hit["part"] = 0
        audio = play_drums(kit, hit, 0.6, RNG(2))
        start = round(0.1 * SAMPLE_RATE)
        assert np.abs(audio[: start - 1]).max() == 0.0, name
        assert np.abs(audio[start : start + 4800]).max() > 0.02, name
        assert np.isfinite(audio).all()


def test_kits_are_told_apart_from_nonsense() -> None:
    assert not play_drums("none", note(0), 0.2, RNG(1)).any()
    with pytest.raises(SegueError, match="no drum kit"):
        play_drums("kazoo", note(0), 0.2, RNG(1))
    assert "none" in KITS


def test_open_hat_is_choked_by_the_next_hat() -> None:
    hits = np.concatenate([note(DRUMS.index("open_hat"), 0.0), note(DRUMS.index("hat"), 0.1)])
    hits["part"] = 0
    both = play_drums("tr808", hits, 0.8, RNG(3))
    alone = play_drums("tr808", hits[:1], 0.8, RNG(3))
    late = slice(round(0.35 * SAMPLE_RATE), None)
    assert np.square(both[late]).sum() < 0.05 * np.square(alone[late]).sum()


def test_notes_fold_into_the_compass_and_do_not_overlap() -> None:
    folded = fold_octaves(np.array([20, 40, 95, 60], np.int16), 36, 84)
    assert folded.tolist() == [44, 40, 83, 60]
    twice = np.concatenate([note(60, 0.0, 1.0), note(60, 0.5, 1.5), note(64, 0.0, 1.0)])
    clean = remove_overlaps(twice, SOUNDS["piano"])
    first = clean[(clean["pitch"] == 60) & (clean["on"] == 0)]
    assert first["off"][0] < 0.5
    assert twice["off"][0] == 1.0  # the caller's notes stay as they are


def test_playing_is_deterministic() -> None:
    sound = SOUNDS["supersaw"]
    one = play_recipe("sub:supersaw", note(60), 0.5, RNG(9), 120.0, sound)
    two = play_recipe("sub:supersaw", note(60), 0.5, RNG(9), 120.0, sound)
    other = play_recipe("sub:supersaw", note(60), 0.5, RNG(10), 120.0, sound)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_unknown_source_is_named() -> None:
    with pytest.raises(SegueError, match="kazoo"):
        play_recipe("kazoo:x", note(60), 0.2, RNG(1), 120.0, SOUNDS["piano"])


@pytest.mark.parametrize("name", sorted(effects.EFFECTS))
def test_effects_keep_shape_and_sense(name: str) -> None:
    x = (0.2 * RNG(1).standard_normal((SAMPLE_RATE * 2, 2))).astype(np.float32)
    y = effects.EFFECTS[name](x, RNG(2))
    assert y.shape == x.shape and y.dtype == np.float32
    assert np.isfinite(y).all() and np.abs(y).max() < 20
    assert np.abs(y).max() > 1e-3
    quiet = effects.EFFECTS[name](np.zeros_like(x), RNG(2))
    assert np.isfinite(quiet).all() and np.abs(quiet).max() < 0.3


def test_filter_gains_are_as_asked() -> None:
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.repeat(np.sin(2 * np.pi * 1000 * t).astype(np.float32)[:, None], 2, 1)

    def gain(y: NDArray[np.float32]) -> float:
        return float(20 * np.log10(np.abs(y[24000:]).max()))

    assert gain(effects.biquad(tone, "peak", 1000, 1.0, 6.0)) == pytest.approx(6.0, abs=0.1)
    assert gain(effects.biquad(tone, "low", 100)) < -35
    assert gain(effects.biquad(tone, "high", 8000)) < -30
    assert gain(effects.biquad(tone, "low_shelf", 8000, 0.7, -5.0)) == pytest.approx(-5, abs=0.5)
    assert gain(effects.biquad(tone, "high_shelf", 100, 0.7, 4.0)) == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize("kind", sorted(space.SPACES))
def test_impulse_responses_decay(kind: str) -> None:
    response = space.impulse(kind, RNG(4))
    energy = np.square(response).sum(1)
    assert np.isfinite(response).all()
    assert energy[len(energy) // 2 :].sum() < 0.35 * energy.sum()
    click = np.zeros((len(response) + 100, 2), np.float32)
    click[100] = 1.0
    assert np.allclose(space.convolve(click, response)[100:], response, atol=1e-4)


def test_limiter_and_loudness() -> None:
    noise = (RNG(5).standard_normal((SAMPLE_RATE * 3, 2)) * 0.5).astype(np.float32)
    lines.limit(noise, 0.8, 240, 0.1)
    assert np.abs(noise).max() <= 0.8 + 1e-6
    # The standard's own check: a 997 Hz sine at full scale in both channels is -0.01 LUFS.
    t = np.arange(SAMPLE_RATE * 3) / SAMPLE_RATE
    sine = np.repeat(np.sin(2 * np.pi * 997 * t).astype(np.float32)[:, None], 2, 1)
    assert measure.loudness(sine) == pytest.approx(0.0, abs=0.1)
    assert measure.loudness(np.zeros_like(sine)) == -70.0


def test_tilt_moves_the_centroid_and_duck_follows_kicks() -> None:
    noise = (RNG(6).standard_normal((SAMPLE_RATE * 4, 2)) * 0.1).astype(np.float32)
    dark, bright = (float(np.nanmean(measure.brightness(mix.tilt(noise, s)))) for s in (-6, 6))
    assert bright > dark + 0.3
    gain = mix.duck(SAMPLE_RATE, np.array([0.5]), 0.7, 0.3)
    assert gain[: SAMPLE_RATE // 3].min() == 1.0
    assert gain[SAMPLE_RATE // 2 + 400] == pytest.approx(0.3, abs=0.05)
    assert gain[-1] == 1.0


def test_brightness_of_a_tone_and_of_silence() -> None:
    t = np.arange(SAMPLE_RATE * 2) / SAMPLE_RATE
    tone = np.repeat(np.sin(2 * np.pi * 4000 * t).astype(np.float32)[:, None], 2, 1)
    assert np.allclose(measure.brightness(tone), 2.0, atol=0.05)
    assert np.isnan(measure.brightness(np.zeros_like(tone))).all()


def test_density_counts_onsets() -> None:
    onsets = np.arange(0, 20, 0.25)
    density = measure.onset_density(np.concatenate([onsets, onsets + 0.005]), 0.0, 500, 20.0)
    assert np.allclose(density[60:-60], 4.0, atol=0.15)
    assert np.allclose(density, 4.0, atol=0.8)
    assert not measure.onset_density(np.zeros(0), 0.0, 10, 0.4).any()
