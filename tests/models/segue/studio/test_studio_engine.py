"""Arranger and studio as an engine: what its interface promises, with what ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from models.corpus.sound.measure import loudness
from models.engine.controls import Controls
from models.engine.interface import blend, block_fault
from models.engine.parts import PartControls
from models.errors import SegueError
from models.music.score import PARTS
from models.segue.engine import SegueEngine, SegueStream, StudioStreamState
from models.segue.studio.user.library import user_instruments
from models.segue.studio.user.naming import name_of
from tests.support.sample_files import RATE, note

PROMPTS = (
    "minimal techno", "solo piano", "funk", "warm synth pads and a slow beat", "string quartet",
    "drum and bass", "heavy metal", "bossa nova",
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> SegueEngine:
    return SegueEngine()


def start(engine: SegueEngine, seed: int) -> SegueStream:
    stream = engine.start(seed)
    assert isinstance(stream, SegueStream)
    return stream


def blocks(engine: SegueEngine, controls: Controls, count: int, seed: int = 3) -> np.ndarray:
    stream = engine.start(seed)
    return np.concatenate([stream.render(controls) for _ in range(count)])


def test_blocks_are_what_the_interface_says(engine: SegueEngine) -> None:
    stream = engine.start(1)
    for _ in range(6):
        assert block_fault(stream.render(Controls()), engine.info) is None
    assert engine.info.block_seconds <= 0.08
    assert engine.info.parts == PARTS


def test_the_same_seed_gives_the_same_music(engine: SegueEngine) -> None:
    controls = Controls(style=engine.embed_text("minimal techno"), bpm=124.0)
    first = blocks(engine, controls, 40)
    assert np.array_equal(first, blocks(engine, controls, 40))
    # An engine that has decoded nothing yet, and has no spectra, plays the same.
    assert np.array_equal(first, blocks(SegueEngine(), controls, 40))
    assert not np.array_equal(first, blocks(engine, controls, 40, seed=4))


def test_a_restored_stream_gives_bit_identical_blocks(engine: SegueEngine) -> None:
    controls = Controls(style=engine.embed_text("dub reggae"))
    stream = start(engine, 5)
    for _ in range(60):
        stream.render(controls)
    moment = stream.snapshot()
    ahead = [stream.render(controls) for _ in range(30)]
    stems = stream.stems
    for _ in range(10):
        stream.render(controls.with_(bpm=170.0, style=engine.embed_text("ambient")))
    stream.restore(moment)
    for block in ahead:
        assert np.array_equal(block, stream.render(controls))
    assert all(np.array_equal(stems[part], stream.stems[part]) for part in PARTS)
    other = start(SegueEngine(), 99)
    other.restore(engine.unpack(engine.pack(moment)))
    assert np.array_equal(ahead[0], other.render(controls))


@pytest.mark.parametrize("prompt", ["funk", "ambient", "minimal techno"])
def test_stems_sum_to_the_mix_before_the_master(engine: SegueEngine, prompt: str) -> None:
    controls = Controls(style=engine.embed_text(prompt))
    stream = start(engine, 2)
    worst, loudest = 0.0, 0.0
    for index in range(80):
        mute = frozenset({"bass"}) if 40 <= index < 60 else frozenset()
        stream.render(controls.with_(mute=mute))
        before = stream.before_master
        assert before is not None and tuple(stream.stems) == PARTS
        worst = max(worst, float(np.abs(sum(stream.stems.values()) - before).max()))
        loudest = max(loudest, float(np.abs(before).max()))
    assert worst < 1e-4 * loudest


def test_a_muted_part_is_exact_silence_and_the_others_do_not_move(engine: SegueEngine) -> None:
    style = engine.embed_text("funk")
    stream = start(engine, 4)
    for _ in range(60):
        stream.render(Controls(style=style))
    moment = stream.state
    stream.render(Controls(style=style))
    free = dict(stream.stems)
    assert np.abs(free["bass"]).max() > 1e-4
    stream.restore(moment)
    stream.render(Controls(style=style, mute=frozenset({"bass"})))
    # It fades within 20 ms; the rest of the block is silent, and so is the next.
    assert not stream.stems["bass"][1000:].any()
    for part in ("drums", "chords", "lead", "extra"):
        assert np.array_equal(stream.stems[part], free[part])
    for _ in range(5):
        stream.render(Controls(style=style, mute=frozenset({"bass", "other"})))
    for part in ("bass", "chords", "lead", "extra"):
        assert not stream.stems[part].any(), "the tail of a muted part is still there"


def test_level_mute_and_solo_of_single_parts(engine: SegueEngine) -> None:
    style = engine.embed_text("funk")
    stream = start(engine, 5)
    for _ in range(60):
        stream.render(Controls(style=style))
    moment = stream.state

    def stems(parts: Mapping[str, PartControls], count: int = 3) -> dict[str, np.ndarray]:
        """The stems of the last of some blocks with these parts' controls."""
        stream.restore(moment)
        for _ in range(count):
            stream.render(Controls(style=style, parts=parts))
        return stream.stems

    free = stems({})
    assert all(np.abs(free[part]).max() > 1e-4 for part in ("drums", "bass"))
    solo = PartControls(solo=True)
    for parts, silent in (
        ({"bass": PartControls(mute=True)}, {"bass"}),
        ({"bass": PartControls(level=-60.0)}, {"bass"}),
        ({"bass": solo}, set(PARTS) - {"bass"}),
        ({"bass": solo, "lead": PartControls(solo=True, mute=True)}, set(PARTS) - {"bass"}),
    ):
        told = stems(parts)
        for part in PARTS:
            same = np.array_equal(told[part], free[part])
            assert not told[part].any() if part in silent else same, (parts, part)
    quieter = stems({"drums": PartControls(level=-6.0)})
    ratio = float(np.linalg.norm(quieter["drums"]) / np.linalg.norm(free["drums"]))
    assert 20 * np.log10(ratio) == pytest.approx(-6.0, abs=1.0)
    assert np.array_equal(quieter["bass"], free["bass"])
    # An instrument or octave moves its own stem, and no other.
    free = stems({}, 40)
    assert np.abs(free["chords"]).max() > 1e-4
    for own in (PartControls(instrument="marimba"), PartControls(octave=1)):
        told = stems({"chords": own}, 40)
        for part in PARTS:
            assert np.array_equal(told[part], free[part]) == (part != "chords"), part


def sizes(value: Any, found: dict[int, int]) -> dict[int, int]:
    """Bytes of every array and every small value that a snapshot refers to, by identity."""
    if hasattr(value, "nbytes"):
        found[id(value)] = int(value.nbytes)
    elif is_dataclass(value):
        found[id(value)] = 64 + 8 * len(fields(value))
        for one in fields(value):
            sizes(getattr(value, one.name), found)
    elif isinstance(value, tuple):
        found[id(value)] = 56 + 8 * len(value)
        for part in value:
            sizes(part, found)
    elif isinstance(value, float):
        found[id(value)] = 24
    return found


@pytest.mark.parametrize("prompt", ["progressive house", "ambient", "vaporwave", "smooth pianos"])
def test_a_snapshot_is_small(engine: SegueEngine, prompt: str) -> None:
    """What a block adds to the snapshots before it: the arrays and values that are new."""
    controls = Controls(style=engine.embed_text(prompt))
    stream = start(engine, 6)
    known: dict[int, int] = {}
    added, moments = [], []
    for index in range(120):
        stream.render(controls)
        moments.append(stream.snapshot())  # they live, so that no identity is used twice
        found = sizes(moments[-1], {})
        if index > 80:
            added.append(sum(size for name, size in found.items() if name not in known))
        known.update(found)
    assert np.mean(added) < 30_000


def test_block_edges_cannot_be_told(engine: SegueEngine) -> None:
    """The rank of the third difference at block edges among other places is uniform."""
    for prompt in ("solo piano", "warm synth pads and a slow beat"):
        controls = Controls(style=engine.embed_text(prompt))
        stream = start(engine, 3)
        mixes = []
        for _ in range(150):
            stream.render(controls)
            before = stream.before_master
            assert before is not None
            mixes.append(before)
        x = np.concatenate(mixes).mean(1).astype(np.float64)
        moved = np.abs(np.diff(x, 3))
        usual = np.sqrt(np.convolve(moved**2, np.ones(256) / 256, "same")) + 1e-9
        rough = moved / usual
        size, ranks = engine.info.block_frames, []
        for edge in range(size, len(x) - size, size):
            here = rough[edge - 4 : edge + 2].max()
            places = range(edge - size // 2, edge + size // 2 - 6, 48)
            others = np.array([rough[at : at + 6].max() for at in places])
            ranks.append(float((others < here).mean()))
        deviation = (np.mean(ranks) - 0.5) / np.sqrt(1 / 12 / len(ranks))
        assert abs(deviation) < 4.0, prompt
        assert np.mean(np.array(ranks) > 0.99) < 0.06, prompt


def test_a_change_of_prompts_does_not_click(engine: SegueEngine) -> None:
    styles = [
        engine.embed_text(p) for p in ("solo piano", "trance", "dub reggae", "string quartet")
    ]
    stream = start(engine, 8)
    out = []
    for index in range(200):
        stream.render(Controls(style=styles[index // 25 % 4]))
        before = stream.before_master
        assert before is not None
        out.append(before)
    x = np.concatenate(out).mean(1).astype(np.float64)
    moved = np.abs(np.diff(x, 4))
    usual = np.sqrt(np.convolve(moved**2, np.ones(960) / 960, "same")) + 1e-6
    size = engine.info.block_frames
    for change in range(25, 200, 25):
        for block in range(change, change + 3):
            edge = block * size
            assert (moved[edge - 6 : edge + 4] / usual[edge - 6 : edge + 4]).max() < 12.0


@pytest.fixture(scope="module")
def renders(engine: SegueEngine) -> dict[str, np.ndarray]:
    found = {}
    for prompt in PROMPTS:
        controls = Controls(style=engine.embed_text(prompt))
        found[prompt] = blocks(engine, controls, 150, seed=7)
    return found


def test_styles_are_equally_loud(renders: dict[str, np.ndarray]) -> None:
    levels = []
    for x in renders.values():
        spans = [loudness(x[at : at + 144_000]) for at in range(144_000, len(x) - 144_000, 72_000)]
        levels.append(float(np.median(spans)))
    assert max(levels) - min(levels) <= 1.5, dict(zip(renders, levels, strict=True))


def test_no_second_is_far_louder_than_the_others(renders: dict[str, np.ndarray]) -> None:
    """Of four minutes the loudest second was 9 dB over the median, and then some 4."""
    for prompt, x in renders.items():
        levels = [loudness(x[at : at + 48_000]) for at in range(48_000, len(x) - 48_000, 48_000)]
        assert max(levels) - float(np.median(levels)) < 6.0, prompt


def test_true_peaks_stay_under_minus_one_decibel(renders: dict[str, np.ndarray]) -> None:
    for x in renders.values():
        peak = np.abs(resample_poly(x.astype(np.float64), 4, 1, axis=0)).max()
        assert 20 * np.log10(peak) <= -1.0


def test_a_held_key_is_heard_at_the_next_step(engine: SegueEngine) -> None:
    style = engine.embed_text("piano ballad")
    stream = start(engine, 11)
    for _ in range(50):
        stream.render(Controls(style=style, bpm=100.0))
    for index in range(5):
        stream.render(Controls(style=style, bpm=100.0, notes=(61, 65, 68)))
        fresh = [v for v in stream.state.studio.voices if v.part == 2
                 and v.start >= (50 + index) * engine.info.block_frames]  # fmt: skip
        if fresh:
            break
    assert fresh and {voice.pitch % 12 for voice in fresh} <= {1, 5, 8}
    assert (fresh[0].start / 48_000) - 50 * 0.08 <= 60 / 100 / 4 + 0.02


def test_clear_lets_what_sounds_ring_out(engine: SegueEngine) -> None:
    controls = Controls(style=engine.embed_text("ambient"))
    stream = start(engine, 7)
    before = np.concatenate([stream.render(controls) for _ in range(60)])
    moment = stream.state
    for _ in range(6):  # wherever the beat is, and where no step begins in the next block
        stream.clear()
        assert block_fault(stream.render(controls), engine.info) is None
    stream.restore(moment)
    stream.clear()
    after = np.concatenate([stream.render(controls) for _ in range(4)])
    seam = np.abs(after[0] - before[-1]).max()
    assert seam <= max(np.quantile(np.abs(np.diff(before[-48_000:], axis=0)), 0.999), 0.01)


def test_what_does_not_fit_is_refused(engine: SegueEngine) -> None:
    stream = start(engine, 0)
    moment = stream.snapshot()
    with pytest.raises(SegueError, match="style has 3 numbers"):
        stream.render(Controls(style=np.ones(3, np.float32)))
    assert stream.snapshot() is moment
    with pytest.raises(SegueError, match="another engine"):
        stream.restore(object())
    with pytest.raises(SegueError, match="another engine"):
        engine.pack(object())
    assert isinstance(moment, StudioStreamState)
    assert blend([engine.embed_text("funk")], [1.0]).shape == (engine.info.style_dim,)


def test_instruments_of_one_s_own(engine: SegueEngine, tmp_path: Path) -> None:
    """What is not loaded changes nothing; what is loaded plays, and its notes are in snapshots."""
    soundfile.write(tmp_path / "own.wav", note(57, 0.8), RATE)
    name, library = name_of(tmp_path / "own.wav"), user_instruments()
    plain = Controls(style=engine.embed_text("solo piano"), parts={"lead": PartControls(solo=True)})
    own = plain.with_(parts={"lead": PartControls(solo=True, instrument=name)})
    before = blocks(engine, plain, 50)
    assert np.array_equal(before, blocks(engine, own, 50))
    library.load(name, drums=False)
    played = blocks(engine, own, 50)
    assert not np.array_equal(before, played) and np.array_equal(played, blocks(engine, own, 50))
    stream = start(engine, 3)
    for _ in range(40):
        stream.render(own)
    packed = engine.pack(stream.snapshot())
    ahead = np.concatenate([stream.render(own) for _ in range(10)])
    other = engine.start(0)
    other.restore(engine.unpack(packed))
    assert np.array_equal(ahead, np.concatenate([other.render(own) for _ in range(10)]))
    library.unload(name)
    other.restore(engine.unpack(packed))
    assert block_fault(other.render(own), engine.info) is None
