"""Trial of the real Lyria RealTime, for a person with a key: `python -m tests.benchmarks.lyria`.

The tests speak with a server of ours; this speaks with Google's, for a minute, and prints what it
did: how long until it sounds, the line's journey, and for each change of a control what was heard
after it. The key is taken from where the engine takes it. The sound is kept as a WAV file.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

from models.engine.controls import Controls, blend
from models.engine.interface import Audio, Stream
from models.errors import BlockPendingError, SegueError
from models.lyria.engine import LyriaEngine

PATIENCE_SECONDS = 30.0


def block_of(stream: Stream, controls: Controls) -> Audio:
    """The next block. SegueError where it does not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return stream.render(controls)
        except BlockPendingError:
            if time.monotonic() > deadline:
                raise SegueError(f"no sound for {PATIENCE_SECONDS:g} s.") from None


def brightness(sound: Audio, rate: int) -> float:
    """Centre of the spectrum in Hz."""
    power = np.abs(np.fft.rfft(sound.mean(axis=1) * np.hanning(len(sound)))) ** 2
    return float((power * np.fft.rfftfreq(len(sound), 1 / rate)).sum() / max(power.sum(), 1e-12))


def main() -> int:
    """Play the steps and print what came."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each step")
    parser.add_argument("--out", type=Path, default=Path("lyria.wav"))
    parser.add_argument("--filtered", metavar="TEXT", help="a prompt that it should refuse")
    chosen = parser.parse_args()
    began = time.monotonic()
    try:
        engine = LyriaEngine()
    except SegueError as error:
        print(f"lyria: {error}", file=sys.stderr)
        return 2
    print(f"session open after {time.monotonic() - began:.2f} s")
    techno, flute = engine.embed_text("minimal techno"), engine.embed_text("flute solo")
    base = Controls(style=techno, bpm=124.0, key="A minor")
    steps: tuple[tuple[str, Controls], ...] = (
        ("minimal techno, 124 bpm, A minor", base),
        ("with a flute", base.with_(style=blend([techno, flute], [1.0, 1.0]))),
        ("dark and sparse", base.with_(brightness=0.1, density=0.1)),
        ("bright and dense", base.with_(brightness=0.9, density=0.9)),
        ("without drums", base.with_(mute=["drums"])),
        ("only bass and drums", base.with_(mute=["other"])),
        ("vocals, more chaos, less guidance", base.with_(
            generation_mode="vocals", chaos=0.8, guidance=2.0)),
        ("90 bpm, C major: the context is reset", base.with_(bpm=90.0, key="C major")),
    )  # fmt: skip
    if chosen.filtered:
        refused = base.with_(style=engine.embed_text(chosen.filtered))
        steps = (*steps, ("a prompt that should be refused", refused))
    stream, heard, rate = engine.start(7), [], engine.info.sample_rate
    try:
        for words, controls in steps:
            asked = time.monotonic()
            blocks = [block_of(stream, controls)]
            first = time.monotonic() - asked
            while sum(map(len, blocks)) < chosen.seconds * rate:
                blocks.append(block_of(stream, controls))
            sound = np.concatenate(blocks)
            heard.append(sound)
            late = sound[len(sound) // 2 :]
            line = engine.line_seconds
            print(
                f"{words}: first block after {first:.2f} s, "
                f"{len(sound) / rate / (time.monotonic() - asked):.2f}x real time, "
                f"line {'–' if line is None else f'{1e3 * line:.0f} ms'}, "
                f"level {20 * np.log10(max(float(np.sqrt(np.mean(late**2))), 1e-6)):.1f} dB, "
                f"centre of the spectrum {brightness(late, rate):.0f} Hz"
            )
            for level, sentence in engine.notices():
                print(f"  {level}: {sentence}")
    except SegueError as error:
        print(f"lyria: {error}", file=sys.stderr)
        return 1
    finally:
        engine.close()
        if heard:
            soundfile.write(chosen.out, np.concatenate(heard), rate, subtype="PCM_16")
            print(f"{chosen.out}: listen whether each step is what its words say")
    return 0


if __name__ == "__main__":
    sys.exit(main())
