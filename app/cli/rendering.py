"""Rendering of performances, block by block, for `render`, `bench` and the demo."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from app.files import whole_file
from app.performance.player import PerformancePlayer
from models.engine.controls import Controls
from models.engine.interface import Audio, Engine, Snapshot, Stream, block_fault
from models.errors import BlockPendingError, SegueError
from models.music.score import SAMPLE_RATE

if TYPE_CHECKING:
    from tqdm import tqdm

PATIENCE_SECONDS: Final = 60.0
"""How long a block of an engine elsewhere may take."""

Steer: TypeAlias = Callable[[Engine, Controls, Stream, int], Controls]
"""Gives the controls of a block: engine, controls, stream, position in frames."""


def blocks(
    engine: Engine,
    player: PerformancePlayer,
    seed: int,
    on_render: Callable[[Stream, int], object] | None = None,
    steer: Steer | None = None,
) -> Iterator[Audio]:
    """Endless blocks of a performance. SegueError for an invalid block.

    on_render is called with the stream and the frames of each block that was rendered. steer
    changes the controls of a block that is about to be rendered.
    """
    if player.endings and not engine.info.continues_audio:
        raise SegueError(f"{engine.info.name} cannot go on from audio: choose an engine that can.")
    stream = engine.start(seed)
    snapshots: dict[int, Snapshot] = {}
    number = 0
    while True:
        step = player.step()
        if number in player.moments:
            snapshots[number] = stream.snapshot()
        if step.clear:
            stream.clear()
        if step.moment is not None:
            stream.restore(engine.moment_of(snapshots[step.moment]))
        if step.continuation is not None:
            stream.restore(engine.snapshot_after(*step.continuation, seed))
        if player.input is not None:
            stream.hear(step.heard)
        controls = step.controls
        if steer is not None:
            controls = steer(engine, controls, stream, number * engine.info.block_frames)
        block = _render(engine, stream, controls)
        fault = block_fault(block, engine.info)
        if fault is not None:
            at = number * engine.info.block_seconds
            raise SegueError(f"{fault} at {at:.1f} s: try another --seed, and please report it.")
        if on_render is not None:
            on_render(stream, len(block))
        yield block
        number += 1


def _render(engine: Engine, stream: Stream, controls: Controls) -> Audio:
    """The next block; where an engine elsewhere is slow, after a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return stream.render(controls)
        except BlockPendingError:
            if time.monotonic() > deadline:
                raise SegueError(
                    f"{engine.info.name} has been silent for {PATIENCE_SECONDS:g} s: is its server "
                    "still there?"
                ) from None
            time.sleep(0.002)
        finally:
            for _, sentence in engine.notices():
                print(f"segue: {sentence}", file=sys.stderr)


def render_wav(
    engine: Engine,
    player: PerformancePlayer,
    seed: int,
    seconds: float,
    out: Path,
    sample_format: str = "24",
    on_block: Callable[[Audio], object] | None = None,
    on_render: Callable[[Stream, int], object] | None = None,
    steer: Steer | None = None,
) -> float:
    """Write `seconds` of a performance to `out`, with a progress bar; returns the seconds it took.

    on_block is called with every block that is written, on_render and steer as in `blocks`.
    """
    from app.cli.files.wav import WavWriter

    info = engine.info
    if info.sample_rate != SAMPLE_RATE or info.channels != 2:
        raise SegueError(f"{info.name} does not give 48 kHz stereo: choose another engine.")
    left = total = round(seconds * SAMPLE_RATE)
    began = time.perf_counter()
    with (
        whole_file(out) as part,
        WavWriter(part, SAMPLE_RATE, 2, sample_format, total) as wav,
        progress(seconds, "s", out.name) as bar,
    ):
        for block in blocks(engine, player, seed, on_render, steer):
            block = block[:left]
            wav.write(block)
            if on_block is not None:
                on_block(block)
            bar.update(min(len(block) / SAMPLE_RATE, seconds - bar.n))
            left -= len(block)
            if left <= 0:
                break
    return time.perf_counter() - began


def progress(total: float, unit: str, name: str) -> tqdm:
    """Progress bar on the error output, where that is a terminal."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        desc=name,
        file=sys.stderr,
        disable=None,
        leave=False,
        bar_format="{desc} {bar} {n:.0f}/{total:.0f} " + unit + " [{elapsed}<{remaining}]",
    )
