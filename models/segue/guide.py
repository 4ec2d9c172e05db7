"""What the renderer is given of a block that the studio has played: its sound and its score."""

from __future__ import annotations

import numpy as np

from models.engine.interface import Audio
from models.music.score import FRAME_SECONDS, PARTS, FrameScore
from models.segue.arranger.block_score import frames_of
from models.segue.brightness import brightness_target
from models.segue.dream.split import SplitState, dreaming_share
from models.segue.stream_state import PlayedBlock, part_gains
from models.segue.studio.studio import Studio


def guide_of(
    studio: Studio, played: PlayedBlock, state: SplitState | None
) -> tuple[Audio | None, SplitState | None]:
    """The share of the parts that dream in a block's sound, (BLOCK, 2), None where all do; and the
    state after it.
    """
    dry = played.entry.controls.part_map.dry
    if state is None and not dry:
        return None, None
    stems = studio.stems(played.studio)
    share, after = dreaming_share(
        played.studio.mix,
        [stems[part] for part in PARTS],
        [part not in dry for part in PARTS],
        played.state.studio.master,
        state or SplitState(),
    )
    return np.ascontiguousarray(share.T), after


def frames_for(played: PlayedBlock, count: int) -> FrameScore:
    """The score of a block of `count` frames, of the parts that dream and are heard."""
    controls, arranger = played.entry.controls, played.state.arranger
    before = arranger.with_(frames=arranger.frames - count)
    gains = zip(PARTS, part_gains(controls), strict=True)
    silent = {part for part, gain in gains if gain == 0.0}
    start = before.frames * FRAME_SECONDS
    frames = frames_of(before, controls, start, count, silent | controls.part_map.dry)
    brightness = brightness_target(controls.brightness)
    if brightness is None:
        return frames
    return frames.with_(brightness=np.full(count, brightness, np.float32))
