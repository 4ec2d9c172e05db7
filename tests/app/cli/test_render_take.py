"""`render --stems --midi`: files that lie on the mix, with what ships."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import soundfile
from scipy.signal import correlate

from app.cli import main
from app.recording.take.midi_file import CHANNELS
from models.engine.controls import Controls
from models.music.score import PARTS, SAMPLE_RATE
from models.registry import open_engine
from models.segue.engine import SegueStream

SECONDS = 15.0
PROMPT = "drum and bass"


def test_stems_and_midi_lie_on_the_mix(tmp_path: Path) -> None:
    out, stems, midi = tmp_path / "mix.wav", tmp_path / "stems", tmp_path / "mix.mid"
    words = ["--seconds", f"{SECONDS}", "--prompt", PROMPT, "--seed", "3", "--format", "float"]
    assert main(["render", str(out), *words, "--stems", str(stems), "--midi", str(midi)]) == 0
    mix, _ = soundfile.read(out, dtype="float32")
    sounds = {part: soundfile.read(stems / f"{part}.wav", dtype="float32")[0] for part in PARTS}
    assert sorted(p.name for p in stems.iterdir()) == sorted(f"{part}.wav" for part in PARTS)
    total = np.sum(list(sounds.values()), axis=0)
    assert total.shape == mix.shape
    _check_before_the_master(total)
    # The mix lies on the sum of the stems to the sample (this style has no tape in the master,
    # whose wow would move it). By the treble: the master's shelves turn the phase of the bass.
    span = slice(4 * SAMPLE_RATE, 8 * SAMPLE_RATE)
    ours, theirs = (np.diff(sound[span, 0], 2) for sound in (mix, total))
    lags = correlate(ours, theirs, mode="same", method="fft")
    assert int(np.argmax(lags)) == len(lags) // 2
    _check_onsets(midi, sounds)


def _check_before_the_master(total: np.ndarray) -> None:
    engine = open_engine("segue")
    stream = engine.start(3)
    assert isinstance(stream, SegueStream)
    controls = Controls(style=engine.embed_text(PROMPT))
    parts = []
    for _ in range(60):
        stream.render(controls)
        parts.append(stream.before_master)
    lead = engine.info.stems_lead
    engine.close()
    mix = np.concatenate([part for part in parts if part is not None])
    there = total[lead : lead + len(mix)]
    assert np.abs(there - mix).max() < 1e-4 * np.abs(mix).max()  # -80 dB


def _check_onsets(midi: Path, sounds: dict[str, np.ndarray]) -> None:
    """Notes that rise out of their part's tail are heard within 5 ms of where the file says."""
    onsets: dict[int, list[float]] = {}
    now, tempo = 0.0, 500_000
    file = mido.MidiFile(midi)
    for message in mido.merge_tracks(file.tracks):
        now += mido.tick2second(message.time, file.ticks_per_beat, tempo)
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "note_on":
            onsets.setdefault(message.channel, []).append(now)
    found: list[tuple[str, float]] = []
    for part, sound in sounds.items():
        loud = np.abs(sound).max(axis=1)
        before = -1.0
        for onset in onsets.get(CHANNELS[part], ()):
            alone, before = onset - before > 0.1, onset
            at = round(onset * SAMPLE_RATE)
            quiet = loud[max(0, at - 1440) : max(0, at - 240)]
            here = loud[at - 240 : at + 1440]
            if not alone or len(quiet) < 960 or here.max() < max(0.01, 6 * quiet.max()):
                continue
            first = np.flatnonzero(here > max(2 * quiet.max(), 0.01 * here.max()))[0] - 240
            found.append((part, 1000 * first / SAMPLE_RATE))
    hits = np.array([late for part, late in found if part == "drums"])
    assert len(hits) > 5
    assert np.abs(hits).max() < 5.0
    # A pad may rise slowly; but nothing is heard before it is written.
    notes = np.array([late for part, late in found if part != "drums"])
    assert len(notes) > 5
    assert notes.min() > -5.0
    assert np.median(notes) < 5.0
