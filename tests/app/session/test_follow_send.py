"""Follow: settings and understanding become controls, and the ear that listens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.audio.input.history import InputHistory
from app.audio.ring import TapRing
from app.audio.shared_memory import INPUT_RUNNING, WORDS
from app.parameters.catalogue import build_registry, set_engine_sends
from app.parameters.input_parameters import FOLLOW_OPTIONS
from app.session.ears.follow_ear import OWN_SENTENCE, FollowEar
from app.session.ears.follow_link import FollowLink
from app.session.ears.followed_plan import Steer
from app.session.follow_send import FollowSettings, band_position, follow, follow_settings
from models.engine.controls import Controls
from models.engine.interface import ScoreInfo
from models.music.tracking.follow import BandPosition, Understanding
from models.music.tracking.own_sound import OWN, own_share
from models.music.tracking.progression import Progression
from models.music.tracking.pulse import Pulse
from tests.support.ears import EarsByHand

RATE = 48_000
BAND = BandPosition(10.0, 20.0, 100.0)
AM, F = (57, 60, 64), (65, 69, 72)
HEARD = Understanding(
    10.0,
    Pulse(10.0, 100.0, 0.9, 20.0),
    progression=Progression(19, (AM, F)),
    key="A minor",
    onsets=(9.0, 9.3, 9.6, 9.9),
    played=True,
)


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"amount": 0.0}, {}),
        ({}, {"bpm": 100.0, "notes": F, "key": "A minor", "density": 0.8875}),
        ({"amount": 0.5}, {"bpm": 100.0, "notes": F, "key": "A minor", "density": 0.69375}),
        ({"lock": False}, {"notes": F, "key": "A minor", "density": 0.8875}),
        ({"chords": False}, {"bpm": 100.0, "density": 0.8875}),
        ({"answer": False}, {"bpm": 100.0, "notes": F, "key": "A minor"}),
        (
            {"chords": False, "answer": False, "lock": False, "part": "bass"},
            {"mute": frozenset({"bass"})},
        ),
    ],
)
def test_what_is_followed(settings: dict[str, float], changes: dict[str, object]) -> None:
    chosen = FollowSettings(**{"amount": 1.0, **settings})  # type: ignore[arg-type]
    found = follow(Controls(), chosen, HEARD, BAND, 10.0, 10.1)
    assert replace(found, strength=Controls().strength) == Controls().with_(**changes)
    for name in ("notes", "key"):
        if name in changes:
            assert found.strength_of(name) == chosen.amount


def test_what_is_set_by_hand_stays() -> None:
    mine = Controls(notes=(60,), key="C major", mute=frozenset({"drums"}), strength={"key": 0.3})
    found = follow(mine, FollowSettings(0.8, part="bass"), HEARD, BAND, 10.0, 10.1)
    assert (found.notes, found.key, found.strength_of("key")) == ((60,), "C major", 0.3)
    assert found.mute == {"drums", "bass"}


@pytest.mark.parametrize(
    ("begin", "next_beat"),
    [(10.0, 0.0), (10.1, 0.5), (10.35, 0.25), (10.6, 0.0), (13.0, 0.0), (14.1, None)],
)
def test_a_band_that_knows_no_beat_is_told_the_next_one(
    begin: float, next_beat: float | None
) -> None:
    """At 100 beats a minute, one of which is at 10 s; after some seconds it is no longer known."""
    found = follow(Controls(), FollowSettings(0.6), HEARD, None, begin, begin + 0.12)
    assert found.next_beat == next_beat and found.bpm is None
    assert found.notes and found.strength_of("notes") == 0.6
    leading = FollowSettings(0.6, lock=False)
    assert follow(Controls(), leading, HEARD, None, begin, begin + 0.12).next_beat is None


@pytest.mark.parametrize(
    ("controls", "options"),
    [
        ({"next_beat", "notes"}, {"follow.lock", "follow.chords"}),
        ({"bpm", "key", "density", "mute"}, set(FOLLOW_OPTIONS)),
        (set(), set()),
    ],
)
def test_options_are_there_where_they_act(controls: set[str], options: set[str]) -> None:
    registry = build_registry()
    set_engine_sends(registry, frozenset({"follow"}), controls)
    assert {name for name in FOLLOW_OPTIONS if registry.available(name)} == options


def test_the_band_says_where_it_is() -> None:
    score = ScoreInfo(tempo=90.0, beat=9.25, bars=2.3125, bars_at=500, beats_per_bar=4)
    found = band_position(score, 48_000, 3840, lambda frame: frame / 48_000)
    assert found == BandPosition((48_000 - 3840 + 500) / 48_000, 9.25, 90.0)
    assert band_position(None, 0, 3840, float) is None
    assert band_position(ScoreInfo(tempo=90.0), 0, 3840, float) is None


def test_settings_are_parameters() -> None:
    registry = build_registry()
    assert follow_settings(registry).amount == 0.0
    set_engine_sends(registry, frozenset({"follow"}))
    registry.set("send.follow", 0.7)
    registry.set("follow.part", "drums")
    registry.set("follow.lock", False)
    assert follow_settings(registry) == FollowSettings(0.7, False, True, True, "drums")
    set_engine_sends(registry, frozenset())  # an engine that cannot
    assert follow_settings(registry).amount == 0.0


def noise(seconds: float, seed: int) -> NDArray[np.float32]:
    """Bursts of noise of many colours, (n, 2)."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * RATE), np.float32)
    for start in np.sort(rng.uniform(0, seconds - 0.1, int(6 * seconds))):
        burst = np.convolve(rng.standard_normal(4800), rng.standard_normal(24), "same")
        first = int(start * RATE)
        part = sound[first : first + 4800]
        part += 0.02 * (burst * np.exp(-np.arange(4800) / 900))[: len(part)]
    return np.stack([sound, sound], axis=1)


@pytest.mark.parametrize(
    ("case", "own"),
    [("later", True), ("in a room", True), ("another", False), ("silence", False), ("nan", False)],
)
def test_own_sound_is_known(case: str, own: bool) -> None:
    played = noise(3.0, 1)
    delayed = np.concatenate([np.zeros((1700, 2), np.float32), 0.2 * played])[: len(played)]
    room = np.random.default_rng(3).standard_normal(4000) * np.exp(-np.arange(4000) / 700)
    room[0] = 40.0
    heard = {
        "later": delayed,
        "in a room": np.stack([np.convolve(delayed[:, 0], room)[: len(played)]] * 2, axis=1),
        "another": noise(3.0, 2),
        "silence": np.zeros_like(played),
        "nan": np.full_like(played, np.nan),
    }[case]
    assert (own_share(played, heard) >= OWN) == own


class Listener:
    """An ear that is called by hand, its link, its input and the output."""

    def __init__(self) -> None:
        words = np.zeros(WORDS, np.int64)
        words[INPUT_RUNNING] = 1
        self.input = InputHistory(words, np.zeros((20 * RATE, 2), np.float32))
        self.tap = TapRing.local(8 * RATE)
        self.given: list[Steer] = []
        self.said: list[str] = []
        self.ears = EarsByHand(
            lambda say: FollowEar(self.input, self.tap, say),
            lambda level, text: self.said.append(text),
        )
        self.link = FollowLink(self.ears, self._accompany, lambda: float(self.tap.end))
        self.link.configure(FollowSettings(1.0), 3840)

    def _accompany(self, steer: Steer, age: float) -> None:
        assert age == 0.0  # it hears what has just been played
        self.given.append(steer)

    def play(self, into: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Let sound come in, and out, a tenth of a second at a time."""
        for start in range(0, len(into), 4800):
            self.input.write(self.input.end, into[start : start + 4800])
            self.tap.append(out[start : start + 4800])
            self.ears.hear()

    def steered(self) -> Controls:
        """Controls of the block to come."""
        start = self.tap.end + RATE // 4
        score = ScoreInfo(tempo=118.0, beat=50.0, bars=12.5, bars_at=0)
        return self.given[-1](Controls(), score, start)


@pytest.fixture
def listener() -> Listener:
    return Listener()


def clicks(seconds: float, bpm: float = 120.0) -> NDArray[np.float32]:
    """Short bursts on each beat, (n, 2)."""
    sound = np.zeros(round(seconds * RATE), np.float32)
    rng, fade = np.random.default_rng(0), np.exp(-np.arange(2400) / 400)
    for beat in np.arange(0.2, seconds - 0.1, 60 / bpm):
        first = int(beat * RATE)
        sound[first : first + 2400] = 0.3 * rng.standard_normal(2400) * fade
    return np.stack([sound, sound], axis=1)


def test_the_plan_follows_and_is_left_alone_where_it_fits(listener: Listener) -> None:
    out = noise(9.0, 5)
    listener.play(clicks(9.0)[: 6 * RATE], out[: 6 * RATE])
    bpm = listener.steered().bpm
    assert bpm is not None and bpm == pytest.approx(120.0, rel=0.11)
    assert "120 bpm" in listener.link.words()
    count = len(listener.given)
    listener.play(clicks(9.0)[6 * RATE :], out[6 * RATE :])
    assert len(listener.given) - count < 12  # of thirty hearings
    listener.ears.rest()
    assert listener.steered() == Controls() and listener.link.words() == ""


def test_own_sound_is_not_followed(listener: Listener) -> None:
    sound = noise(9.0, 7)
    late = np.concatenate([np.zeros((900, 2), np.float32), 0.3 * sound])
    listener.play(late[: len(sound)], sound)
    assert listener.said == [OWN_SENTENCE] and listener.link.words() == OWN_SENTENCE
    assert listener.steered() == Controls()
    listener.play(clicks(8.0), noise(8.0, 8))
    assert "bpm" in listener.link.words()


def test_a_fault_is_a_sentence_and_the_controls_stay(listener: Listener) -> None:
    listener.play(clicks(1.0), noise(1.0, 1))
    bad = ScoreInfo(tempo=float("nan"), beat=float("inf"), bars=0.0, bars_at=0)
    assert listener.given[-1](Controls(bpm=90.0), bad, 10**6).bpm is not None
    listener.play(np.full((RATE, 2), np.nan, np.float32), noise(1.0, 2))
    assert listener.steered().bpm is None or np.isfinite(listener.steered().bpm or 0.0)
