"""The input in the window: strip, sends, settings; and that nothing of it reaches the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.audio.input.settings import INPUT_STYLE, InputStatus
from app.inference.status import WorkerStatus
from app.playback import audio_settings
from app.session.preferences import Preferences, load, round_trip_key, save
from app.window.dialogs.settings import SettingsDialog
from models.segue.echo import SHORTEST_BESIDE, SHORTEST_SECONDS
from tests.support.fake_player import INFO, FakeFollow, FakeMemory
from tests.support.rig import Rig


def plug_in(rig: Rig, level: float = 0.3) -> np.ndarray:
    """Open the input with ten seconds of noise in it; returns the noise."""
    rig.output.audio = replace(
        rig.output.audio, input=InputStatus(running=True, peak=(level, level), hold=(level, level))
    )
    noise = np.random.default_rng(4).uniform(-level, level, (48_000, 2)).astype(np.float32)
    rig.output.input.write(0, noise)
    rig.window.input.frame()
    return noise


def test_strip_is_there_while_there_is_an_input(rig: Rig) -> None:
    strip = rig.window.widgets.input
    assert strip.isHidden()
    plug_in(rig)
    assert not strip.isHidden() and not strip.style_send.isHidden()
    rig.worker.engine_ready.emit(replace(INFO, sends=frozenset()))
    assert strip.style_send.isHidden() and strip.terms.isHidden()
    rig.output.audio = replace(rig.output.audio, input=InputStatus())
    rig.window.input.frame()
    assert strip.isHidden()


def test_levels_reach_the_audio_process(rig: Rig) -> None:
    assert rig.output.levels == (1.0, 0.0, 0.0)
    rig.registry.set("input.gain", 6.0)
    rig.registry.set("input.gate", -40.0)
    rig.registry.set("input.monitor", -20.0)
    assert rig.output.levels == pytest.approx((1.9953, 0.01, 0.1), abs=1e-4)
    rig.registry.set("input.mute", True)
    assert rig.output.levels[0] == 0.0


def test_style_is_asked_for_only_when_it_counts(rig: Rig) -> None:
    plug_in(rig)
    assert INPUT_STYLE not in rig.worker.wanted
    rig.registry.set("input.freeze", True)
    rig.registry.set("send.style", 0.5)
    rig.window.input.frame()
    assert INPUT_STYLE not in rig.worker.wanted
    rig.registry.set("input.freeze", False)
    rig.window.input.frame()
    assert rig.worker.wanted[-1] == INPUT_STYLE
    before = rig.window.live.styles.get(INPUT_STYLE)
    assert before is not None
    rig.worker.style_terms.emit(INPUT_STYLE, ("kora", "hang_drum"))
    assert rig.window.widgets.input.terms.text() == "hears: kora · hang drum"
    rig.output.audio = replace(rig.output.audio, input=InputStatus())
    rig.window.input.frame()
    assert rig.window.live.styles.get(INPUT_STYLE) is None


def test_the_band_is_not_asked_anew_for_nearly_the_same_style(rig: Rig) -> None:
    plug_in(rig)
    rig.registry.set("send.style", 0.5)
    rig.window.input.frame()
    book = rig.window.live.styles
    heard = book.get(INPUT_STYLE)
    assert heard is not None
    rig.worker.style_ready.emit(INPUT_STYLE, heard + np.float32(0.01))
    assert book.get(INPUT_STYLE) is heard
    other = np.roll(heard, 1) * np.float32(-1.0)
    rig.worker.style_ready.emit(INPUT_STYLE, other)
    assert book.get(INPUT_STYLE) is other


def test_follow_is_steered_and_shown(rig: Rig) -> None:
    plug_in(rig)
    strip, heard = rig.window.widgets.input, rig.window.playback.follow
    assert isinstance(heard, FakeFollow)
    assert not strip.follow_send.isHidden() and strip.follow_options.isHidden()
    assert heard.settings.amount == 0.0 and heard.block_frames == INFO.block_frames
    rig.registry.set("send.follow", 0.8)
    rig.registry.set("follow.part", "drums")
    rig.registry.set("input.freeze", True)
    assert not strip.follow_options.isHidden()
    assert (heard.settings.amount, heard.settings.part, heard.frozen) == (0.8, "drums", True)
    heard.text = "124 bpm, A minor: Dm, then G"
    rig.window.input.frame()
    assert strip.terms.text().endswith(heard.text)
    rig.registry.trigger("scene.1.save")
    rig.registry.set("send.follow", 0.0)
    rig.registry.set("follow.part", "none")
    assert strip.follow_options.isHidden()
    rig.registry.trigger("scene.1.recall")
    assert (heard.settings.amount, heard.settings.part) == (0.8, "drums")
    rig.registry.trigger("edit.undo")
    assert heard.settings.amount == 0.0


def test_memory_is_steered_and_shown(rig: Rig) -> None:
    plug_in(rig)
    strip, heard = rig.window.widgets.input, rig.window.playback.memory
    assert isinstance(heard, FakeMemory) and strip.memory_options.isHidden()
    rig.registry.set("send.memory", 0.6)
    rig.registry.set("send.memory.bars", 2.0)
    assert (heard.amount, heard.frozen) == (0.6, False)
    assert not strip.memory_options.isHidden() and strip.memory_options.bars.isHidden()
    rig.registry.set("send.memory.mode", "looper")
    rig.registry.set("input.freeze", True)
    assert heard.frozen and not strip.memory_options.bars.isHidden()
    rig.window.live.flush()
    controls = rig.worker.submitted[-1][0]
    assert (controls.memory, controls.memory_mode, controls.loop_bars) == (0.6, "looper", 2)
    rig.registry.trigger("scene.1.save")
    rig.registry.set("send.memory", 0.0)
    rig.window.live.flush()
    assert heard.amount == 0.0 and rig.worker.submitted[-1][0].memory is None
    rig.registry.trigger("scene.1.recall")
    assert heard.amount == 0.6


def test_echo_is_steered_and_shown(rig: Rig) -> None:
    plug_in(rig)
    strip, heard = rig.window.widgets.input, rig.window.playback.memory
    assert isinstance(heard, FakeMemory) and all(knob.isHidden() for knob in strip.echo_options)
    rig.registry.set("send.echo", 0.7)
    rig.registry.set("send.echo.time", 2.0)
    assert (heard.amount, heard.echo) == (0.0, 0.7)
    assert not any(knob.isHidden() for knob in strip.echo_options)
    rig.window.live.flush()
    controls = rig.worker.submitted[-1][0]
    assert (controls.echo, controls.echo_time, controls.echo_dream) == (0.7, 2.0, 0.5)


def test_a_dry_echo_is_shown_on_its_send_until_it_dreams_again(rig: Rig) -> None:
    plug_in(rig)
    knob = rig.window.widgets.input.echo_send
    rig.worker.status_changed.emit(WorkerStatus(echo_dry=True))
    assert knob.caption == "Echo"  # the send is closed
    rig.registry.set("send.echo", 0.7)
    rig.worker.status_changed.emit(WorkerStatus(echo_dry=True))
    assert knob.caption == "Echo, dry"
    rig.worker.status_changed.emit(WorkerStatus())
    assert knob.caption == "Echo"


def test_the_shortest_echo_is_said_where_its_time_is_set(rig: Rig) -> None:
    said = rig.registry["send.echo.time"].help
    assert f"{SHORTEST_BESIDE} s with dream and {SHORTEST_SECONDS} s without" in said


def test_nothing_of_the_input_reaches_the_disk(rig: Rig, tmp_path: Path) -> None:
    noise = plug_in(rig)
    rig.registry.set("send.style", 0.8)
    rig.window.input.frame()
    style = rig.window.live.styles.get(INPUT_STYLE)
    assert style is not None
    rig.registry.trigger("scene.1.save")
    rig.window.files.tick()  # the autosave
    rig.window.apply_preferences(replace(rig.window.preferences, input_device="default"))
    signs = [noise[n : n + 2].tobytes() for n in range(0, len(noise), 4800)]
    signs += [style[:2].tobytes(), f"{style[0]:.5f}".encode(), f"{noise[0, 0]:.5f}".encode()]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        data = path.read_bytes()
        assert not any(sign in data for sign in signs), path


def test_settings_of_the_input(rig: Rig, tmp_path: Path) -> None:
    preferences = Preferences(input_device="default", input_channel=3, input_low_cut=80)
    preferences = replace(preferences, round_trips={round_trip_key(preferences): 7.4})
    save(tmp_path / "p.json", preferences)
    assert load(tmp_path / "p.json") == preferences
    heard = audio_settings(preferences).input
    assert heard is not None and heard.device is None
    assert (heard.first_channel, heard.low_cut, heard.round_trip_ms) == (3, 80, 7.4)
    assert audio_settings(Preferences()).input is None
    other = replace(preferences, buffer_frames=1024)  # measured with another buffer
    heard = audio_settings(other).input
    assert heard is not None and heard.round_trip_ms is None
    rig.window.open_settings()
    dialog = rig.window.findChild(SettingsDialog)
    assert dialog is not None
    form = dialog.input
    form.show_inputs(rig.output.inputs())
    form.device.setCurrentIndex(form.device.findData("Microphone (JACK)"))
    form.measure.click()
    rig.window.jobs.wait()
    rig.qtbot.waitUntil(lambda: "7.4 ms" in form.trip.text())
    dialog.accept()
    chosen = dialog.chosen()
    assert chosen.input_device == "Microphone (JACK)"
    assert chosen.round_trips[round_trip_key(chosen)] == 7.4
