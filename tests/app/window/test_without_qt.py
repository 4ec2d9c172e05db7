"""Parts of the window without Qt: spectra, beats, colours, shortcuts; and steering."""

from __future__ import annotations

import numpy as np
import pytest

from app.parameters.catalogue import build_registry
from app.parameters.parameter import Value
from app.session.document import Scene, SessionPrompt
from app.session.steering import StyleBook, steer
from app.window.shortcuts import SHORTCUTS
from app.window.spectrogram.beats import beat_positions
from app.window.spectrogram.spectra import BANDS, GROUP, HOP, Spectra, band_of
from app.window.style import colours
from app.window.style.time_text import duration_text, offset_text
from app.window.widgets.volume_fader import meter_position
from models.engine.controls import CONTROL_NAMES, Controls, blend
from models.engine.interface import ScoreInfo
from models.music.score import SAMPLE_RATE
from tests.support.fake_player import style_of

ALL = frozenset(CONTROL_NAMES)


def tone(hz: float, start: int, frames: int, level: float = 0.3) -> np.ndarray:
    t = (start + np.arange(frames)) / SAMPLE_RATE
    wave = (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)
    return np.stack([wave, wave], axis=1)


@pytest.mark.parametrize("hz", [60.0, 250.0, 1000.0, 6000.0])
def test_a_tone_lights_its_band_only(hz: float) -> None:
    spectra = Spectra(seconds=10)
    for start in range(0, SAMPLE_RATE * 2, 11_520):
        spectra.write(start, tone(hz, start, 11_520))
    column = spectra.images[0][::-1, 50].astype(int)
    assert abs(int(column.argmax()) - band_of(hz)) <= 1.5
    far = np.abs(np.arange(BANDS) - band_of(hz)) > (40 if hz < 100 else 12)
    assert column.max() > 180 and column[far].max() < 60


def test_a_rewritten_future_is_as_if_it_had_been_written_once() -> None:
    blocks = [tone(200.0 + 100 * n, n * 11_520, 11_520) for n in range(12)]
    once, twice = Spectra(seconds=10), Spectra(seconds=10)
    for n, block in enumerate(blocks):
        once.write(n * 11_520, block)
        twice.write(n * 11_520, block if n < 6 else tone(3000.0, n * 11_520, 11_520))
    for n in range(6, 12):
        twice.write(n * 11_520, blocks[n])
    assert once.end == twice.end == 12 * 11_520 // HOP + 1
    for a, b in zip(once.images, twice.images, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(wave.any() for wave in once.waves)


def test_coarse_columns_keep_the_loudest() -> None:
    spectra = Spectra(seconds=20)
    for start in range(0, SAMPLE_RATE * 8, 11_520):
        loud = 0.5 if start == 11_520 * 10 else 0.001
        spectra.write(start, tone(1000.0, start, 11_520, loud))
    fine = spectra.waves[0][: spectra.end]
    for level in (1, 2, 3):
        coarse = spectra.waves[level][: spectra.end // GROUP**level]
        assert coarse.max() == fine.max()


def test_the_ring_of_columns_comes_round() -> None:
    spectra = Spectra(seconds=3)
    for start in range(0, SAMPLE_RATE * 30, 11_520):
        spectra.write(start, tone(1000.0 if start < SAMPLE_RATE * 28 else 4000.0, start, 11_520))
    assert spectra.start > 0
    newest = spectra.images[0][::-1, (spectra.end - 20) % spectra.sizes[0]]
    assert abs(int(newest.argmax()) - band_of(4000.0)) <= 1.5
    assert spectra.end == (start + 11_520) // HOP + 1


def test_a_performance_may_begin_anywhere() -> None:
    spectra = Spectra(seconds=10)
    position = SAMPLE_RATE * 3600
    first, last = spectra.write(position, tone(440.0, position, 11_520))
    assert first >= position // HOP and last <= (position + 11_520) // HOP + 1
    assert spectra.start == position // HOP


@pytest.mark.parametrize(
    ("score", "beats", "bars"),
    [
        (ScoreInfo(bars=2.0, bars_at=0, tempo=120.0), [1000, 25000], [1000]),
        (ScoreInfo(bars=2.125, bars_at=12000, tempo=120.0), [1000, 25000], [1000]),
        (ScoreInfo(bars=2.375, bars_at=24000, tempo=120.0), [13000, 37000], []),
        (ScoreInfo(bars=2.5, tempo=120.0), [1000, 25000], [1000]),
        (ScoreInfo(bars=0.0, bars_at=0, tempo=60.0, beats_per_bar=3), [1000], [1000]),
        (ScoreInfo(bars=1.0), [], []),
        (ScoreInfo(tempo=120.0), [], []),
        (ScoreInfo(bars=float("nan"), tempo=120.0), [], []),
        (ScoreInfo(bars=1.0, tempo=0.0), [], []),
    ],
)
def test_beats_of_a_block(score: ScoreInfo, beats: list[int], bars: list[int]) -> None:
    assert beat_positions(score, 1000, 48_000, SAMPLE_RATE) == (beats, bars)


def test_strip_colours_are_distinct_and_of_one_lightness() -> None:
    assert len(set(colours.STRIPS)) == 16
    rows = np.array([[int(h[i : i + 2], 16) for i in (1, 3, 5)] for h in colours.STRIPS])
    luma = rows @ np.array([0.2126, 0.7152, 0.0722])
    assert luma[:8].max() - luma[:8].min() < 45
    gaps = np.linalg.norm(rows[:8, None] - rows[None, :8], axis=2) + 999 * np.eye(8)
    assert gaps.min() > 40


def test_the_colour_map_rises_in_lightness() -> None:
    table = colours.spectrum_table().astype(float) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(table) >= -1.0).all() and table[-1] - table[0] > 200
    dimmed = colours.spectrum_table(dim=0.6).astype(float).max()
    assert dimmed < 200


def test_oklch_gives_known_colours() -> None:
    assert colours.oklch(1.0, 0.0, 0.0) == "#ffffff" and colours.oklch(0.0, 0.0, 0.0) == "#000000"
    red = colours.oklch(0.6279, 0.2577, 29.23)  # sRGB red, from Ottosson's article
    assert [int(red[i : i + 2], 16) for i in (1, 3, 5)] == pytest.approx([255, 0, 0], abs=3)


def test_every_key_does_something_and_none_does_two_things() -> None:
    registry = build_registry()
    assert len({shortcut.keys for shortcut in SHORTCUTS}) == len(SHORTCUTS)
    for shortcut in SHORTCUTS:
        assert shortcut.action.startswith("window.") or shortcut.action in registry


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0:00"), (75.4, "1:15"), (3700, "1:01:40"), (3725.0, "1:02:05")]
)
def test_durations_as_text(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_offsets_as_text_and_meter_positions() -> None:
    assert offset_text(-75.3) == "−1:15.3" and offset_text(-5.26) == "−5.3 s"
    assert meter_position(0.0) == 0.0 and meter_position(1.0) == 1.0 and meter_position(9.0) == 1.0
    assert meter_position(10 ** (-27 / 20)) == pytest.approx(0.5)


def scene(weights: list[float], **values: object) -> Scene:
    named = {f"prompt.{n}.weight": w for n, w in enumerate(weights, 1)}
    prompts = tuple(SessionPrompt(f"p{n}") for n in range(1, len(weights) + 1))
    return Scene("", prompts, {**named, **values})  # type: ignore[dict-item]


def book(*names: str) -> StyleBook:
    styles = StyleBook()
    for name in names:
        styles.add(f"text:{name}", style_of(name))
    return styles


def test_steering_blends_what_is_ready() -> None:
    styles = book("p1", "p3")
    result = steer(scene([1.0, 5.0, 3.0]), styles, ALL)
    assert result.controls.style is not None
    np.testing.assert_allclose(
        result.controls.style, blend([style_of("p1"), style_of("p3")], [1.0, 3.0])
    )
    assert [(p.text, p.weight) for p in result.prompts] == [("p1", 1.0), ("p3", 3.0)]


def test_steering_keeps_the_style_when_all_faders_are_down() -> None:
    last = style_of("last")
    result = steer(scene([0.0, 0.0]), book("p1", "p2"), ALL, last)
    np.testing.assert_array_equal(result.controls.style, last)  # type: ignore[arg-type]
    assert not result.mixed and result.prompts == ()
    assert steer(scene([1.0]), StyleBook(), ALL).controls.style is None


@pytest.mark.parametrize(
    ("values", "notes", "strengths"),
    [
        ({"tempo": 120.0, "strength": 0.5}, (), {"bpm": 0.5}),
        ({"tempo": 120.0, "strength": 0.0}, (60,), {"bpm": 0.0, "notes": 0.0}),
        ({"tempo": 120.0, "key": "A minor", "density": 0.2, "brightness": 0.3, "strength": 0.25},
         (), {"bpm": 0.25, "key": 0.25, "density": 0.25}),
        ({"tempo": 120.0, "strength": 1.0}, (), {}),  # as it is where nobody asked for advice
        ({"tempo": 120.0}, (), {}),
        ({"tempo": None, "strength": 0.5}, (), {}),  # nothing is set that could be bent
    ],
)  # fmt: skip
def test_strength_is_of_what_is_set(
    values: dict[str, Value], notes: tuple[int, ...], strengths: dict[str, float]
) -> None:
    acting = ALL | {"strength"}
    controls = steer(scene([1.0], **values), book("p1"), acting, notes=notes).controls
    assert dict(controls.strength) == strengths
    assert not steer(scene([1.0], **values), book("p1"), ALL, notes=notes).controls.strength


def test_steering_says_nothing_about_what_the_engine_has_not() -> None:
    values = {"tempo": 120.0, "key": "A minor", "density": 0.2, "stem.drums": False}
    full = steer(scene([1.0], **values), book("p1"), ALL, notes=(60,)).controls
    assert (full.bpm, full.key, full.density) == (120.0, "A minor", 0.2)
    assert full.mute == {"drums"} and full.notes == (60,)
    few = steer(scene([1.0], **values), book("p1"), frozenset({"style", "bpm"}), notes=(60,))
    assert few.controls.bpm == 120.0 and few.controls.key is None
    assert not few.controls.mute and few.controls.notes == ()
    drumless = steer(scene([1.0], **values), book("p1"), frozenset({"style", "drums"})).controls
    assert drumless.drums is False and not drumless.mute and full.drums is None
    playing = steer(scene([1.0]), book("p1"), frozenset({"style", "drums"})).controls
    assert playing.drums is None


@pytest.mark.parametrize(
    ("values", "acting", "triggers", "expected"),
    [
        ({"energy": 0.8}, "energy", "", {"energy": 0.8}),
        ({"energy": None}, "energy", "", {}),
        ({"energy": 0.8}, "density", "", {}),  # not of this engine
        ({"follow_prompts": True}, "follow_prompts", "", {"follow_prompts": True}),
        ({"follow_prompts": True}, "", "", {}),
        ({"change_at": "bar"}, "change_at", "", {"change_at": "bar"}),
        ({"change_at": "bar"}, "", "", {}),
        ({}, "fill next_section change_at follow_prompts energy", "", {}),  # of an older session
        ({}, "fill next_section", "fill", {"fill": True}),
        ({}, "fill next_section", "fill next_section", {"fill": True, "next_section": True}),
        ({}, "fill", "fill next_section", {"fill": True}),
        ({"fill": True}, "fill", "", {}),  # a trigger is no value of a scene
        ({"part.lead.mute": True}, "parts", "", {"parts": {"lead": {"mute": True}}}),
        (
            {"part.bass.octave": -1.0, "part.bass.level": -3.5},
            "parts",
            "",
            {"parts": {"bass": {"octave": -1, "level": -3.5}}},
        ),
        (
            {"part.lead.instrument": "flute", "part.drums.lock": True},
            "parts reroll",
            "",
            {"parts": {"lead": {"instrument": "flute"}, "drums": {"lock": True}}},
        ),
        ({"part.lead.instrument": None}, "parts", "", {}),
        ({"part.lead.mute": True}, "mute", "part.lead.reroll", {}),  # not of this engine
        ({}, "reroll fill", "part.lead.reroll fill", {"reroll": ["lead"], "fill": True}),
    ],
)
def test_steering_of_the_form(
    values: dict[str, Value], acting: str, triggers: str, expected: dict[str, object]
) -> None:
    controls = steer(
        scene([], **values), StyleBook(), frozenset(acting.split()),
        triggers=frozenset(triggers.split()),
    ).controls  # fmt: skip
    assert controls == Controls(**expected)  # type: ignore[arg-type]


def test_styles_are_asked_for_once_and_again_after_a_failure() -> None:
    styles = StyleBook()
    prompts = (
        SessionPrompt("Flute"),
        SessionPrompt("flute "),
        SessionPrompt(""),
        SessionPrompt("x", audio="/a.wav"),
    )
    assert [p.style_key for p in styles.take_missing(prompts)] == ["text:flute", "audio:/a.wav"]
    assert styles.take_missing(prompts) == []
    states = [styles.state(p)[0] for p in prompts]
    assert states == ["waiting", "waiting", "empty", "waiting"]
    styles.fail("audio:/a.wav", "no such file.")
    assert styles.state(prompts[3]) == ("failed", "no such file.")
    styles.retry("audio:/a.wav")
    assert styles.take_missing(prompts) == [prompts[3]]
