"""Tables of the composer: known words, patterns that fit their metre."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest

from models.corpus.composer.backing import ROLES
from models.corpus.composer.grooves import GROOVES, LOUDNESS
from models.corpus.composer.harmony import parse_chord, progression
from models.corpus.styles import PLAYERS, STYLES
from models.corpus.styles.base import weights
from models.corpus.styles.behaviours import BEHAVIOURS
from models.corpus.styles.patterns import ARPS, COMPS, LINES
from models.corpus.styles.progressions import GENERIC, PROGRESSIONS
from models.errors import SegueError
from models.music.form import FORMS, METRES, adapt
from models.music.harmony import scale_of
from models.music.score import INSTRUMENTS, KITS, MODES, QUALITIES, chord_symbol
from models.music.voicing import RANGES, chord_register, part_range, voice

WORDS: dict[str, Collection[str]] = {
    "metre": METRES,
    "mode": MODES,
    "harmony": PROGRESSIONS,
    "groove": GROOVES,
    "kit": KITS,
    "bass": INSTRUMENTS,
    "line": LINES,
    "chords": INSTRUMENTS,
    "comp": COMPS,
    "lead": INSTRUMENTS,
    "melody": BEHAVIOURS,
    "extra": INSTRUMENTS,
    "role": ROLES,
    "form": FORMS,
}


@pytest.mark.parametrize("name", sorted(STYLES))
def test_a_style_uses_known_words(name: str) -> None:
    style = STYLES[name]
    for field, known in WORDS.items():
        unknown = set(weights(getattr(style, field))[0]) - set(known)
        assert not unknown, (field, unknown)
    assert 40 <= style.tempo[0] <= style.tempo[1] <= 260
    assert 0.5 <= style.swing[0] <= style.swing[1] <= 0.67
    assert {float(word) for word in weights(style.rate)[0]} <= {0.5, 1, 2, 4}


@pytest.mark.parametrize("name", sorted(PLAYERS))
def test_a_player_uses_known_words(name: str) -> None:
    player = PLAYERS[name]
    for field, known in WORDS.items():
        text = getattr(player, field, "")
        if text:
            unknown = set(weights(text)[0]) - set(known)
            assert not unknown, (field, unknown)
    known_sounds = KITS if player.parts == "drums" else INSTRUMENTS
    assert set(weights(player.instrument)[0]) <= set(known_sounds)
    for choice in weights(player.parts)[0]:
        assert set(choice.split("+")) <= {"drums", "bass", "chords", "lead", "extra"}


def test_patterns_fill_whole_bars() -> None:
    for name, groove in GROOVES.items():
        for drum, text in groove.layers.items():
            assert len(text) % METRES[groove.metre][1] == 0, (name, drum)
            assert set(text) <= {*LOUDNESS, "."}, (name, drum)
    for table, tokens in ((LINES, "R85b3467wa-.x"), (COMPS, "Xxo-.")):
        for name, (metre, patterns) in table.items():
            for text in patterns:
                assert len(text) % METRES[metre][1] == 0, name
                assert set(text) <= set(tokens), name
                assert text.strip("-."), name
    for name, texts in ARPS.items():
        assert all(len(text) == 16 for text in texts), name


@pytest.mark.parametrize("source", sorted(METRES))
@pytest.mark.parametrize("target", sorted(METRES))
def test_patterns_can_be_played_in_any_metre(source: str, target: str) -> None:
    beat, bar = METRES[source]
    text = "".join("X" if step % beat == 0 else "." for step in range(bar))
    adapted = adapt(text, source, target)
    beat, bar = METRES[target]
    assert len(adapted) == bar
    assert adapted[0] == "X"
    assert all(cell == ("X" if step % beat == 0 else ".") for step, cell in enumerate(adapted))


def test_progressions_parse_and_know_home() -> None:
    rng = np.random.default_rng(0)
    home = 0
    total = 0
    for pool in PROGRESSIONS:
        for mode in MODES:
            bars = progression(rng, pool, mode)
            roots = [symbol // len(QUALITIES) for bar in bars for symbol in bar]
            assert 0 in roots, (pool, mode)
            home += roots[0] == 0
            total += 1
    assert home / total > 0.9
    assert set(GENERIC) == set(MODES)


@pytest.mark.parametrize(
    ("text", "root", "quality"),
    [
        ("I", 0, "maj"),
        ("bVII", 10, "maj"),
        ("ii7", 2, "min7"),
        ("V7", 7, "7"),
        ("iih", 2, "half_dim"),
        ("#io", 1, "dim"),
        ("IVmaj9", 5, "maj9"),
        ("I5", 0, "5"),
        ("v", 7, "min"),
    ],
)
def test_numerals(text: str, root: int, quality: str) -> None:
    assert parse_chord(text) == chord_symbol(root, quality)


def test_a_wrong_numeral_is_refused() -> None:
    with pytest.raises(SegueError, match="roman numeral"):
        parse_chord("VIII")


def test_the_scale_bends_to_the_chord() -> None:
    dominant = chord_symbol(7, "7")
    assert 11 in scale_of("minor", dominant) and 10 not in scale_of("minor", dominant)
    assert scale_of("minor", -1) == MODES["minor"]
    assert 0 in scale_of("major", chord_symbol(9, "7"))


def test_every_instrument_has_a_range() -> None:
    assert set(RANGES) == set(INSTRUMENTS)
    for name in INSTRUMENTS:
        for part in ("bass", "lead"):
            low, high = part_range(part, name)
            assert low >= 21 and high <= 108 and high - low >= 12, (name, part)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_voicings_lie_in_the_register_and_move_little(instrument: str) -> None:
    low, high = chord_register(instrument)
    previous: tuple[int, ...] | None = None
    for root in range(12):
        for quality in QUALITIES:
            symbol = chord_symbol(root, quality)
            pitches = voice(symbol, 3, instrument, previous)
            assert pitches and list(pitches) == sorted(set(pitches))
            assert low <= pitches[0] and pitches[-1] <= high + 2, (quality, pitches)
            assert pitches == voice(symbol, 3, instrument, previous)
            previous = pitches
    assert voice(-1, 0, instrument) == ()
    with pytest.raises(SegueError, match="no instrument"):
        voice(0, 0, "kazoo")


def test_piano_chords_hold_the_tones_of_the_chord() -> None:
    for quality, steps in QUALITIES.items():
        pitches = voice(chord_symbol(2, quality), 9, "piano")
        assert {p % 12 for p in pitches} <= {(11 + step) % 12 for step in steps}
        assert (11 + steps[1]) % 12 in {p % 12 for p in pitches}
