"""Lesson: the training of a learned sound, step by step, from a folder in which it goes on.

The folder holds the encoded pieces, the rehearsal and the checkpoint, so a lesson that was stopped
or killed goes on; what of it is damaged is made again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.segue.renderer.features import ScoreBatch, unknown_score
from models.segue.renderer.network import FRAMES_PER_BLOCK, Renderer
from models.segue.renderer.sampler import Sampler
from models.teaching.frames import FrameFeatures
from models.teaching.low_rank import Pupil
from models.teaching.objective import DRESSED, MUSIC, OWN, Draws, LessonBatch, Objective, device_of
from models.teaching.rehearsal import SCORE_FIELDS, ScoredClip
from models.teaching.transcription import HeardScore

KINDS: Final = (MUSIC, MUSIC, DRESSED, OWN)
"""Clips of a batch."""
FRAMES: Final = 512
"""Frames of a piece with which those that are to sound as it does are compared."""
BLOCKS: Final = 24
"""Blocks of 240 ms in a crop."""
HIDDEN: Final = 0.3
"""Share of the crops whose score is hidden whole."""
RATE: Final = 2e-3
WARM_UP: Final = 20
DECAY: Final = 0.97
"""Of the moving average of what is learned."""
CHECKPOINT: Final = "lesson.safetensors"


@dataclass(frozen=True, eq=False)
class Study:
    """A piece to learn from: latents (T, D), and what was heard in it."""

    latents: NDArray[np.float32]
    heard: HeardScore


class Lesson:
    """Training of one learned sound.

    Args:
        base: The renderer, on the device that computes.
        sampler: How it is played.
        studies: Pieces of the player's; one at least.
        rehearsal: Music of the base; one clip at least.
        styles: (128,) of each study: where its piece lies among the prompts.
        features: Of latent frames.
        folder: Of the checkpoint.
        seconds: Of computing that the whole lesson takes.
        rank: Of the changes.
        number_format: Of the matrix products.
        clock: Seconds of computing so far.
        note: What a checkpoint must have been written with to go on from it.

    """

    def __init__(
        self,
        base: Renderer,
        sampler: Sampler,
        studies: Sequence[Study],
        rehearsal: Sequence[ScoredClip],
        styles: Sequence[NDArray[np.float32]],
        features: FrameFeatures,
        folder: Path,
        seconds: float,
        rank: int = 8,
        number_format: torch.dtype = torch.float32,
        clock: Callable[[], float] = time.monotonic,
        note: str = "",
    ) -> None:
        torch.manual_seed(1)
        self.pupil = Pupil(base, rank)
        self.device = device_of(base)
        self.objective = Objective(base, sampler, features)
        self.studies, self.rehearsal = list(studies), list(rehearsal)
        self._styles = [torch.from_numpy(np.array(style, np.float32)) for style in styles]
        lengths = np.array([len(study.latents) for study in self.studies], float)
        self._odds = lengths / lengths.sum()
        self.folder, self.seconds = folder, seconds
        self.number_format, self.clock, self._note = number_format, clock, note
        self._parameters = self.pupil.parameters
        matrices = list(self._parameters.values())
        self._optimiser = torch.optim.AdamW(matrices, lr=RATE, betas=(0.9, 0.97), weight_decay=0.01)
        self.average = {n: p.detach().clone() for n, p in self._parameters.items()}
        self.step = 0
        self.spent = 0.0
        self.losses: list[float] = []

    @property
    def finished(self) -> bool:
        return self.spent >= self.seconds

    @property
    def share(self) -> float:
        """How much of it is learned, 0 to 1."""
        return min(1.0, self.spent / max(1e-6, self.seconds))

    def learn(self) -> dict[str, float]:
        """One step; what the loss consisted of, empty where it was not finite."""
        begin = self.clock()
        rng = torch.Generator().manual_seed(7919 * (self.step + 1))
        batch = self._batch(np.random.default_rng([self.step, 0x1E550]))
        drawn = Draws.of(batch, self.pupil.base.config.window, rng)
        low = self.number_format != torch.float32
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            loss, found = self.objective.loss(
                self.pupil.network, batch.to(self.device), drawn.to(self.device)
            )
        parts = {name: float(value) for name, value in found.items()}
        self.step += 1
        if bool(torch.isfinite(loss)):
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(list(self._parameters.values()), 1.0)
            for group in self._optimiser.param_groups:
                group["lr"] = self.rate()
            self._optimiser.step()
            decay = min(DECAY, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                for name, parameter in self._parameters.items():
                    self.average[name].lerp_(parameter, 1 - decay)
            self.losses.append(parts.get("music", parts.get("kept", 0.0)))
        else:
            parts = {}
        self.spent += self.clock() - begin
        return parts

    def rate(self) -> float:
        """Learning rate: linear warm-up, then a cosine down to a twentieth over the lesson."""
        warm = min(1.0, self.step / WARM_UP)
        return RATE * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * self.share)))

    def changes(self) -> dict[str, NDArray[np.generic]]:
        """What is learned so far, as of `LearnedSound.changes`."""
        return self.pupil.changes(self.average)

    @property
    def loss(self) -> float:
        """Mean loss of the last fifty steps; nan before the first."""
        return float(np.mean(self.losses[-50:])) if self.losses else math.nan

    # -- batches ---------------------------------------------------------------------------------
    def _batch(self, rng: np.random.Generator) -> LessonBatch:
        frames = BLOCKS * FRAMES_PER_BLOCK
        dressed = self._drawn(rng)
        rows: list[tuple[Tensor, ScoreBatch, Tensor]] = []
        for kind in KINDS:
            if kind == MUSIC:
                number = self._drawn(rng)
                rows.append((*_crop(self.studies[number], rng, frames), self._styles[number]))
                continue
            clip = self.rehearsal[int(rng.integers(len(self.rehearsal)))]
            start = int(rng.integers(len(clip.latents) - frames + 1))
            span = slice(start, start + frames)
            style = self._styles[dressed] if kind == DRESSED else clip.style
            rows.append((clip.latents[span], clip.score[span], style))
        score = ScoreBatch(
            *(torch.cat([getattr(row[1], name) for row in rows]) for name in SCORE_FIELDS)
        )
        latents, styles = (torch.stack([row[index] for row in rows]) for index in (0, 2))
        sounds = self.studies[dressed].latents
        sounds = sounds[rng.integers(len(sounds), size=FRAMES)]
        return LessonBatch(latents, score, styles, torch.tensor(KINDS), torch.from_numpy(sounds))

    def _drawn(self, rng: np.random.Generator) -> int:
        """Number of a study, drawn by its length."""
        return int(rng.choice(len(self._odds), p=self._odds))

    # -- checkpoint ------------------------------------------------------------------------------
    def save(self) -> None:
        """Write the checkpoint, whole or not at all. OSError where there is no room."""
        tensors: dict[str, Tensor] = {}
        for name, parameter in self._parameters.items():
            tensors[f"now.{name}"] = _kept(parameter)
            tensors[f"average.{name}"] = _kept(self.average[name])
            state = self._optimiser.state.get(parameter)
            if state:
                tensors[f"mean.{name}"] = _kept(state["exp_avg"])
                tensors[f"square.{name}"] = _kept(state["exp_avg_sq"])
        tensors["losses"] = torch.tensor(self.losses[-200:] or [math.nan])
        header = {"step": str(self.step), "spent": repr(self.spent), "note": self._note}
        partial = self.folder / f"{CHECKPOINT}.partial"
        try:
            save_file(tensors, partial, metadata=header)
        except SafetensorError as error:  # a full disk, among others
            raise OSError(str(error)) from error
        partial.replace(self.folder / CHECKPOINT)

    def resume(self) -> bool:
        """Go on from the checkpoint; False, and a fresh start, where there is none or a damaged
        one.
        """
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return False
        try:
            saved = load_file(path)
            with safe_open(str(path), framework="pt") as file:
                header = file.metadata() or {}
            step, spent = int(header["step"]), float(header["spent"])
            if header["note"] != self._note:
                return False
            self._check(saved)
        except (SafetensorError, OSError, KeyError, ValueError, RuntimeError):
            return False
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(saved[f"now.{name}"])
                self.average[name].copy_(saved[f"average.{name}"])
                if f"mean.{name}" in saved:
                    self._optimiser.state[parameter] = {
                        "step": torch.tensor(float(step)),
                        "exp_avg": saved[f"mean.{name}"].to(parameter),
                        "exp_avg_sq": saved[f"square.{name}"].to(parameter),
                    }
        self.step, self.spent = step, spent
        self.losses = [value for value in saved["losses"].tolist() if math.isfinite(value)]
        return True

    def _check(self, saved: Mapping[str, Tensor]) -> None:
        """Raise ValueError where a checkpoint is of another rank or network, or not finite."""
        for name, parameter in self._parameters.items():
            for kind in ("now", "average"):
                found = saved[f"{kind}.{name}"]
                if found.shape != parameter.shape or not bool(torch.isfinite(found).all()):
                    raise ValueError(name)


def _kept(tensor: Tensor) -> Tensor:
    """A copy of a tensor on the CPU, which a file can be written from on any machine."""
    return tensor.detach().cpu().clone()


def _crop(study: Study, rng: np.random.Generator, frames: int) -> tuple[Tensor, ScoreBatch]:
    """Latents (T, D) and score of a random crop; a piece that is shorter is repeated."""
    total = len(study.latents)
    start = int(rng.integers(max(1, total - frames + 1)))
    places = (np.arange(frames) + start) % total
    latents = torch.from_numpy(np.ascontiguousarray(study.latents[places], np.float32))
    if float(rng.random()) < HIDDEN or total < frames:
        return latents, unknown_score(frames)
    return latents, study.heard.score(slice(start, start + frames))
