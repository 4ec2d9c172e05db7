"""Preview of a lesson: a few seconds of what the sound would be now, always of the same score; and
longer ones, in which its mix is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.engine.loudness import LevelState, normalise_loudness
from models.errors import SegueError
from models.music.score import SAMPLE_RATE
from models.segue.arranger.arranger import Arranger
from models.segue.codec import Codec
from models.segue.learned_mix import RENDERER, LearnedMixes
from models.segue.learned_pieces import LearnedPieces, turn_of
from models.segue.renderer.adaptation import adapted
from models.segue.renderer.features import no_age, score_batch
from models.segue.renderer.inference import KeyValueCache, RendererInference
from models.segue.renderer.network import FRAMES_PER_BLOCK, TOKENS_PER_BLOCK, Renderer
from models.segue.studio.warmth import warmed
from models.sounds.file import LearnedSound

BLOCKS: Final = 25
"""Blocks of 240 ms: 6 s."""
SEED: Final = 11
MEASURED: Final = 48
"""Blocks of each stream in which the mix is measured: 11 s."""
SETTLE: Final = 24_000
"""Samples at a stream's beginning that are not measured."""
APART: Final = 17
"""Blocks by which each measured stream begins later than the one before: 4 s, as a beginning, often
without drums, is not what the sound is like."""


class SoundOnTrial:
    """The one sound that is being tried, where players look for sounds by name."""

    def __init__(self) -> None:
        self.sound: LearnedSound | None = None

    def kept(self, name: str) -> LearnedSound:
        """That sound. SegueError where it has another name."""
        if self.sound is None or self.sound.name != name:
            raise SegueError(f"no sound '{name}' is being tried.")
        return self.sound


class PreviewPlayer:
    """Plays a few seconds of a sound.

    Args:
        network: The renderer's weights.
        inference: The renderer as it is.
        arranger: Writes the score, in the idioms of `trial`.
        codec: Makes sound of latents.
        trial: Is told which sound plays.

    """

    def __init__(
        self,
        network: Renderer,
        inference: RendererInference,
        arranger: Arranger,
        codec: Codec,
        trial: SoundOnTrial,
    ) -> None:
        self._network, self._inference = network, inference
        self._arranger, self._codec, self._trial = arranger, codec, trial
        self._pieces, self._mixes = LearnedPieces(trial), LearnedMixes(trial, RENDERER)

    def play(
        self, sound: LearnedSound, seed: int = SEED, blocks: int = BLOCKS, begin: int = 0
    ) -> NDArray[np.float32]:
        """Audio (n, 2) at 48 kHz of a sound at amount 1, from block `begin` of its score on."""
        self._trial.sound = sound
        renderer = adapted(self._inference, self._network, [(sound, 1.0)])
        state, age, cache = self._arranger.start(seed), no_age(), KeyValueCache()
        noise = torch.Generator().manual_seed(seed)
        controls, latents = Controls(style=sound.style, sounds={sound.name: 1.0}), []
        turn = turn_of(state)
        for number in range(begin + blocks):
            style = self._pieces.style(controls, state)
            score, state, _ = self._arranger.block(state, style, controls, FRAMES_PER_BLOCK)
            batch, age = score_batch(score, age)
            if number < begin:
                continue
            drawn = torch.randn(TOKENS_PER_BLOCK, 2 * renderer.config.latent_dim, generator=noise)
            given = None if style is None else torch.from_numpy(style.copy())
            new, cache = renderer.block(cache, batch, given, drawn)
            latents.append(new)
        codec, start = self._codec, self._codec.start_decoding(seed)
        bands, image, _ = codec.decode_step(torch.cat(latents), start.network)
        bands, change = warmed(bands), self._mixes(controls.sounds, turn)
        if change is not None:
            bands, image, _ = change.changed(bands, image, None)
        made, _ = codec.vocoder.step(bands, image, start.vocoder)
        audio, _ = normalise_loudness(made[codec.delay :], LevelState())
        return np.asarray(audio, np.float32)

    def stream(self, sound: LearnedSound, seed: int, place: int) -> NDArray[np.float32]:
        """Audio (n, 2) of a stream of a sound, in which its mix is measured, from a place in its
        form on that is counted in APART.
        """
        return self.play(sound, seed, MEASURED, place * APART)[SETTLE:]


def write_preview(audio: NDArray[np.float32], path: Path) -> None:
    """Write audio (n, 2) as a WAV file, whole or not at all. OSError where there is no room."""
    import soundfile

    partial = path.with_suffix(".partial")
    try:
        soundfile.write(partial, audio, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    except soundfile.SoundFileError as error:
        raise OSError(str(error)) from error
    partial.replace(path)
