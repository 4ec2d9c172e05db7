"""Generation of the next block of several streams at once, which read the weights once.

The codec decodes each stream by itself; its weights are a small part of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.magenta_rt2.block_generator import FRAMES_PER_BLOCK, BlockRequest, GeneratedBlock
from models.magenta_rt2.depthformer.batch_stepper import BatchStepper
from models.magenta_rt2.depthformer.sampling import gumbel_noise
from models.magenta_rt2.depthformer.stepper import DepthformerContext
from models.magenta_rt2.spectrostream.codec import SpectroStream


@dataclass(frozen=True, eq=False)
class BlockJob:
    """A block to be generated: after a context and a codec's state, as requested."""

    context: DepthformerContext
    codec: tuple[Tensor, ...]
    request: BlockRequest


class BatchGenerator:
    """Generates blocks of up to `stepper.batch` streams. Not thread-safe."""

    def __init__(self, stepper: BatchStepper, codec: SpectroStream) -> None:
        self.stepper, self.codec = stepper, codec
        self._loaded: list[DepthformerContext | None] = [None] * stepper.batch
        self._used = [0] * stepper.batch
        self._number = 0

    def blocks(self, jobs: Sequence[BlockJob]) -> list[GeneratedBlock]:
        """The next block of each job. ValueError for more than the stepper's batch."""
        if len(jobs) > self.stepper.batch:
            raise ValueError(f"{len(jobs)} streams for a batch of {self.stepper.batch}")
        rows = self._rows(jobs)
        self._loaded = [None if row in rows else at for row, at in enumerate(self._loaded)]
        codes = torch.stack([self._frame(jobs, rows, n) for n in range(FRAMES_PER_BLOCK)], dim=1)
        blocks = []
        for row, job in zip(rows, jobs, strict=True):
            context = self._loaded[row] = self.stepper.context(row)
            sound, state = self.codec.decode_step(codes[row : row + 1], job.codec)
            blocks.append(GeneratedBlock(sound, codes[row], context, tuple(state)))
        return blocks

    def _rows(self, jobs: Sequence[BlockJob]) -> list[int]:
        """Row of each job in the batch: where its context is, or one not used for long."""
        self._number += 1
        rows: dict[int, int] = {}
        for number, job in enumerate(jobs):
            for row, loaded in enumerate(self._loaded):
                if loaded is job.context and row not in rows.values():
                    rows[number] = row
                    break
        free = sorted(
            set(range(self.stepper.batch)) - set(rows.values()), key=self._used.__getitem__
        )
        for number, job in enumerate(jobs):
            if number not in rows:
                rows[number] = free.pop(0)
                self.stepper.load(rows[number], job.context)
            self._used[rows[number]] = self._number
        return [rows[number] for number in range(len(jobs))]

    def _frame(self, jobs: Sequence[BlockJob], rows: Sequence[int], number: int) -> Tensor:
        """Codes (batch, 12) of the next frame; those of rows without a job mean nothing."""
        stepper = self.stepper
        conditions = torch.zeros_like(stepper.conditions, device="cpu")
        temperatures, top_ks = [1.0] * stepper.batch, [1] * stepper.batch
        noise = [torch.zeros(stepper.noise.shape[1:])] * stepper.batch
        for row, job in zip(rows, jobs, strict=True):
            request = job.request
            conditions[row] = request.conditions[number]
            noise[row] = gumbel_noise(request.seed, request.epoch, stepper.frames[row])
            temperatures[row], top_ks[row] = request.temperature, request.top_k
        return stepper.step(conditions, torch.stack(noise), temperatures, top_ks, rows)
