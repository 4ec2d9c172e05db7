"""The rungs of the ladder: what makes each one's clips. Offline.

Songs and prompts are those of seeds that nothing was trained on. Clip `number` of every rung has
the same song: its terms are the prompt, its score the true score, its mix the corpus' clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.corpus.composer.composer import compose
from models.corpus.dataset import EVAL_SEEDS
from models.corpus.sound.measure import brightness
from models.corpus.sound.presets import SOUNDS
from models.corpus.sound.render import fit_range, render
from models.corpus.sound.voices import fold_octaves
from models.engine.controls import Controls
from models.engine.interface import Engine, blend
from models.errors import SegueError
from models.evaluation.ladder.clips import clip_path, read_clip
from models.music.score import EVENT, FRAME_SECONDS, INSTRUMENTS, KITS, PARTS, PITCHED, SAMPLE_RATE
from models.music.song import Song
from models.registry import open_engine
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.voices import SoundingNote, Voices
from models.segue.codec import Codec
from models.segue.diffusion_engine import DiffusionEngine
from models.segue.renderer.features import no_age, score_batch
from models.segue.renderer.inference import KeyValueCache, RendererInference
from models.segue.renderer.loading import load_inference
from models.segue.renderer.network import FRAMES_PER_BLOCK, TOKENS_PER_BLOCK
from models.segue.style.anchors import mixture
from models.storage.json_types import JsonObject
from models.storage.weights import WEIGHTS, identity

Audio = NDArray[np.float32]
SEED: Final = 700_000
"""Of the ladder's songs, over EVAL_SEEDS; of its streams."""
OTHER_SEED: Final = 800_000
SETTLE: Final = 2.0
"""Seconds at a stream's beginning that are left out: it begins in silence, without a context."""


@lru_cache(maxsize=4)
def song_of(seed: int) -> Song:
    """The held-out song of a seed, its notes within the instruments' compass."""
    return fit_range(compose(EVAL_SEEDS + seed, split="eval"))


def corpus_audio(seed: int, seconds: float) -> Audio:
    """A held-out song as the corpus has it, (n, 2)."""
    rng = np.random.default_rng([EVAL_SEEDS + seed, 0xC11B])
    mix: Audio = render(song_of(seed), rng, seconds, "eval").mix
    return mix


@dataclass(frozen=True)
class Setup:
    """What the rungs of a run share: length of the clips, the folder where they lie, other weights
    by label (`--weights`), and the seconds at a stream's beginning that are left out (`--skip`).
    """

    seconds: float
    out: Path
    weights: dict[str, Path] = field(default_factory=dict)
    skip: float = SETTLE

    def corpus(self, number: int) -> Audio:
        """The corpus' clip, from the folder where it is there already."""
        path = clip_path(self.out / "corpus", number)
        return read_clip(path) if path.exists() else corpus_audio(SEED + number, self.seconds)


class Rung:
    """A rung: its name, what it is made of, and its clips. `streams`: whether they are cut out of
    streams, so that it matters where (`Setup.skip`).
    """

    streams = False

    def __init__(self, name: str, setup: Setup) -> None:
        self.name = name
        self.setup = setup

    @property
    def note(self) -> JsonObject:
        """What tells these clips from others of the same rung."""
        made: JsonObject = {"seconds": self.setup.seconds, "seed": SEED, "weights": self.weights}
        skipped = self.streams and self.setup.skip != SETTLE
        return made | ({"skip": self.setup.skip} if skipped else {})

    @property
    def weights(self) -> str:
        """Identity of the weights that the clips depend on; '' for none."""
        return ""

    def make(self, number: int) -> Audio:
        """Clip `number`, (n, 2) at 48 kHz."""
        raise NotImplementedError


class CorpusRung(Rung):
    """Held-out songs as the corpus renders them."""

    def make(self, number: int) -> Audio:
        return corpus_audio(SEED + number, self.setup.seconds)


class OtherCorpusRung(Rung):
    """Other songs of the corpus: how near the corpus is to itself."""

    def make(self, number: int) -> Audio:
        return corpus_audio(OTHER_SEED + number, self.setup.seconds)


class CodecRung(Rung):
    """The corpus' clips through the codec and back."""

    @property
    def weights(self) -> str:
        return identity(("codec.safetensors",))

    @cached_property
    def _codec(self) -> Codec:
        return Codec.load(WEIGHTS / "codec.safetensors")

    def make(self, number: int) -> Audio:
        clip = self.setup.corpus(number)
        return self._codec.decode(self._codec.encode(clip))[: len(clip)]


class ScoreRung(Rung):
    """The songs' true scores through renderer and codec."""

    def __init__(self, name: str, setup: Setup, folder: Path = WEIGHTS) -> None:
        super().__init__(name, setup)
        self.folder = folder

    @property
    def weights(self) -> str:
        return identity(("codec.safetensors", "renderer.safetensors"), self.folder)

    @cached_property
    def _parts(self) -> tuple[RendererInference, Codec]:
        folder = self.folder
        codec = Codec.load(folder / "codec.safetensors")
        return load_inference(folder / "renderer.safetensors"), codec

    def make(self, number: int) -> Audio:
        player, codec = self._parts
        clip = self.setup.corpus(number)
        return render_score(player, codec, song_of(SEED + number), clip, SEED + number)


def render_score(
    player: RendererInference,
    codec: Codec,
    song: Song,
    clip: Audio,
    seed: int,
    guidance: float | None = None,
) -> Audio:
    """A song's true score through renderer and codec.

    Args:
        player: The renderer.
        codec: The codec of its latents.
        song: The song; the prompt is its terms.
        clip: The song as the corpus has it, (n, 2): its length and brightness are taken.
        seed: Of the renderer's noise.
        guidance: Weight of the prompt, for networks that were taught it; None for their usual one.

    Returns:
        Samples (n, 2) at 48 kHz.

    """
    blocks = -(-len(clip) // round(FRAMES_PER_BLOCK * FRAME_SECONDS * SAMPLE_RATE))
    frames = blocks * FRAMES_PER_BLOCK
    score = song.frame_labels(0.0, frames)
    bright = np.full(frames, np.nan, np.float32)
    measured = brightness(clip)[:frames]
    bright[: len(measured)] = measured
    batch, _ = score_batch(score.with_(brightness=bright), no_age())
    style = torch.from_numpy(mixture(song.terms))
    noise = torch.Generator().manual_seed(seed)
    cache, latents = KeyValueCache(), []
    for block in range(blocks):
        span = slice(block * FRAMES_PER_BLOCK, (block + 1) * FRAMES_PER_BLOCK)
        drawn = torch.randn(TOKENS_PER_BLOCK, 2 * player.config.latent_dim, generator=noise)
        new, cache = player.block(cache, batch[span], style, drawn, guidance)
        latents.append(new)
    return codec.decode(torch.cat(latents))[: len(clip)]


@dataclass(frozen=True)
class WrittenSong(Song):
    """A song whose events were written by somebody else than the composer."""

    written: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, EVENT))

    def events(self, humanise: bool = True) -> NDArray[np.void]:
        return self.written


class ArrangerRung(Rung):
    """The arranger's scores through the corpus' instruments and mix."""

    streams = True

    @property
    def weights(self) -> str:
        return identity(("arranger.safetensors",))

    @cached_property
    def _arranger(self) -> Arranger:
        return Arranger.load()

    def make(self, number: int) -> Audio:
        seed = SEED + number
        seconds = self.setup.seconds + self.setup.skip
        song = arranged(self._arranger, song_of(seed), seed, seconds)
        rng = np.random.default_rng([EVAL_SEEDS + seed, 0xC11B])
        mix: Audio = render(song, rng, seconds, "eval").mix
        return mix[round(self.setup.skip * SAMPLE_RATE) :]


def arranged(arranger: Arranger, song: Song, seed: int, seconds: float) -> WrittenSong:
    """What the arranger writes for a song's prompt; production is the song's."""
    style, state = mixture(song.terms), arranger.start(seed)
    written: dict[tuple[int, int, float], SoundingNote] = {}
    for _ in range(round(seconds / FRAME_SECONDS / FRAMES_PER_BLOCK) + 1):
        _, state, info = arranger.block(state, style, Controls(), FRAMES_PER_BLOCK)
        # A note is drawn out by later steps: its last version is the true one.
        written.update({(n.part, n.pitch, n.on): n for n in state.voices.notes})
    assert state.setting is not None
    instruments = {
        part: INSTRUMENTS[index]
        for part, index in zip(PITCHED, state.setting.instruments, strict=True)
    }
    events = Voices(tuple(written.values())).events(())
    events = events[np.argsort(events["on"], kind="stable")]
    for part, instrument in instruments.items():
        mine = events["part"] == PARTS.index(part)
        sound = SOUNDS.get(instrument)
        if sound is not None and mine.any():
            events["pitch"][mine] = fold_octaves(events["pitch"][mine], sound.low, sound.high)
    own = {each.name: getattr(song, each.name) for each in fields(Song)}
    own |= {"instruments": instruments, "kit": KITS[state.setting.kit], "bpm": info.bpm}
    return WrittenSong(**own, written=events)


class EngineRung(Rung):
    """A whole engine, asked with the songs' prompts."""

    streams = True

    def __init__(self, name: str, setup: Setup, open_it: Callable[[], Engine]) -> None:
        super().__init__(name, setup)
        self._open = open_it

    @cached_property
    def _engine(self) -> Engine:
        return self._open()

    @property
    def weights(self) -> str:
        return self._engine.weights_identity or ""

    def make(self, number: int) -> Audio:
        engine, total = self._engine, self.setup.seconds + self.setup.skip
        terms = song_of(SEED + number).terms
        styles = [engine.embed_text(name) for name, _ in terms]
        controls = Controls(style=blend(styles, [weight for _, weight in terms]))
        stream = engine.start(SEED + number)
        blocks = int(np.ceil(total / engine.info.block_seconds))
        audio = np.concatenate([stream.render(controls) for _ in range(blocks)])
        return audio[round(self.setup.skip * SAMPLE_RATE) : round(total * SAMPLE_RATE)]


FIXED: Final[dict[str, type[Rung]]] = {
    "corpus": CorpusRung,
    "other-corpus": OtherCorpusRung,
    "codec": CodecRung,
    "score": ScoreRung,
    "arranger": ArrangerRung,
}
"""Rungs that are no engine, by name."""


def make_rung(name: str, setup: Setup) -> Rung:
    """The rung of a name: one of FIXED, or any registered engine.

    'score:LABEL' and 'diffusion:LABEL' are the true scores and the diffusion engine with other
    weights, of the folder that the setup has under the label.

    Raises:
        SegueError: There is no rung, engine or label of that name.

    """
    kind, _, label = name.partition(":")
    if label and kind in ("score", "diffusion"):
        if label not in setup.weights:
            raise SegueError(f"no weights are labelled '{label}': give --weights {label}=FOLDER.")
        folder = setup.weights[label]
        if kind == "score":
            return ScoreRung(name, setup, folder)
        return EngineRung(name, setup, lambda: DiffusionEngine("cpu", folder))
    if name in FIXED:
        return FIXED[name](name, setup)
    return EngineRung(name, setup, lambda: open_engine(name, "auto"))


__all__ = ["FIXED", "Rung", "Setup", "make_rung", "render_score"]
