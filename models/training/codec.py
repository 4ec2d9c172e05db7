"""Training of the codec: `python -m models.training.codec --data DIR --out DIR --minutes M`.

Resumes from the last checkpoint in --out. The learning rate falls with the elapsed minutes.

The latents are fixed first: principal components of the data, half whitened and rotated (see
`models.segue.codec.autoencoder`), so that a generator can be trained on them at once; only the
decoder is trained here. `untrained.safetensors` in --out is the codec before training.

The loss, on band values (half nepers): absolute error, weighted by audibility; absolute error of
differences along time and frequency, for attacks and partials; absolute error of compressed
magnitudes (power 0.6, relative to the sequence's sum), for loud partials. Gaussian noise of 0 to
0.3 is added to the latents, so that the decoder is robust to a generator's errors.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from models.errors import SegueError
from models.segue.codec import bands as B
from models.segue.codec.autoencoder import Autoencoder, CodecConfig, split_patches
from models.segue.codec.codec import Codec
from models.training.sets.patches import Patches
from models.training.trainer import Trainer

BATCH = 16
LENGTH = 72
WARMUP_FRAMES = 6
"""Frames at the start of a sequence without loss, since their context is missing."""
NOISE = 0.3
DECIBELS = 20 / np.log(10) * B.LOG_SCALE


def audibility_weights(bands: Tensor) -> Tensor:
    """Loss weight of every band value: 0.3 at the floor to 1 at 40 dB above it, by the level
    around.

    The local average is used, since a weight that follows the ripple of noise makes the weighted
    median, and so the decoded noise, too loud.
    """
    bands = F.avg_pool2d(bands[:, None], (5, 9), 1, (2, 4), count_include_pad=False)[:, 0]
    return 0.3 + 0.7 * ((bands - float(B.SILENCE)) * (DECIBELS / 40)).clamp(0, 1)


def loss_terms(output: Tensor, patches: Tensor) -> dict[str, Tensor]:
    """Terms of the loss, of decoded and true patches (batch, T, 1320)."""
    decoded, image = split_patches(output)
    true, true_image = split_patches(patches)
    weight = audibility_weights(true)
    error = decoded - true
    along_time = (error[:, 1:] - error[:, :-1]).abs() * weight[:, 1:]
    along_bands = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]
    exponent = 0.6 * B.LOG_SCALE
    loud = torch.exp(exponent * (true - 3.0))
    energy = (torch.exp(exponent * (decoded.clamp_max(4.0) - 3.0)) - loud).abs().sum((1, 2))
    return {
        "level": (error.abs() * weight).mean(),
        "time": 0.25 * along_time.mean(),
        "bands": 0.25 * along_bands.mean(),
        "energy": 0.15 * (energy / (loud.sum((1, 2)) + 0.1)).mean(),
        "image": 0.2 * (image - true_image).abs().mean(),
    }


class TimedTrainer(Trainer):
    """Trainer whose schedule is in minutes, over all runs in its folder."""

    minutes = 1.0
    elapsed = 0.0

    def run(self, minutes: float, checkpoint_seconds: float = 120.0) -> Iterator[int]:
        """Yield step numbers until the time is up, with checkpoints and a progress bar."""
        begin = saved = time.monotonic()
        total = round(self.minutes, 1)
        bar = tqdm(total=total, initial=round(self.elapsed, 2), unit="min", mininterval=10)
        try:
            while self.elapsed < self.minutes and (now := time.monotonic()) - begin < minutes * 60:
                yield self.step
                bar.n = round(self.elapsed, 2)
                loss = self.history[-1]["loss"] if self.history else float("nan")
                bar.set_postfix(step=self.step, loss=f"{loss:.4f}")
                if now - saved > checkpoint_seconds:
                    self.save()
                    saved = now
        finally:
            bar.close()
            self.save()

    def rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.warmup)
        share = min(1.0, self.elapsed / self.minutes)
        return self.learning_rate * warm * (0.03 + 0.97 * 0.5 * (1 + float(np.cos(np.pi * share))))


def forward(network: Autoencoder, patches: Tensor, noise: float) -> Tensor:
    """Decoded patches of latents with noise of a random strength, up to `noise`."""
    batch = len(patches)
    latents, _ = network.encode(patches, network.encoder.start(batch))
    sigma = torch.rand(batch, 1, 1, device=latents.device) * noise
    sigma = sigma * (torch.rand_like(sigma) < 0.8)  # a fifth without noise
    output, _ = network.decode(
        latents + sigma * torch.randn_like(latents), network.decoder.start(batch)
    )
    return output


@torch.no_grad()
def validate(network: Autoencoder, clips: list[Tensor], device: str, seconds: float = 8.0) -> float:
    """Mean error in dB of audible bands (over 40 dB above the floor) on held-out clips."""
    errors, count = 0.0, 0.0
    for clip in clips[:24]:
        patches = clip[: int(seconds * 25)].float()[None].to(device)
        latents, _ = network.encode(patches, network.encoder.start(1))
        output, _ = network.decode(latents, network.decoder.start(1))
        decoded, true = split_patches(output)[0], split_patches(patches)[0]
        loud = (true - float(B.SILENCE)) * DECIBELS > 20
        errors += float(((decoded - true).abs() * loud).sum()) * DECIBELS
        count += float(loud.sum())
    return errors / max(count, 1.0)


def averaged_network(trainer: Trainer, config: CodecConfig, device: str) -> Autoencoder:
    """An autoencoder with the averaged weights."""
    network = Autoencoder(config)
    network.load_state_dict({k: v.cpu() for k, v in trainer.average.weights.items()})
    network.to(device).eval()
    return network


@torch.no_grad()
def fix_latents(network: Autoencoder, data: Patches, rng: np.random.Generator) -> float:
    """Fit the linear paths to the data and freeze the latents.

    Weights are rounded to float16, as in the file, so that the decoder is trained on exactly the
    latents that are shipped. Returns the share of the variance that the latents explain.
    """
    patches = torch.cat([data.sample(rng, BATCH, LENGTH) for _ in range(60)])
    patches = patches.reshape(-1, patches.shape[-1])
    explained = network.start_from_components(patches)
    for tensor in (network.project.weight, network.unproject.weight, network.patch_mean):
        tensor.copy_(tensor.half().float())
    raw, _ = network.encode_raw(patches[None], network.encoder.start(1))
    network.latent_mean.copy_(raw.mean((0, 1)).half().float())
    network.latent_std.copy_(raw.std((0, 1)).clamp_min(1e-3).half().float())
    return float(explained)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Train the codec.")
    parser.add_argument(
        "--data", type=Path, required=True, nargs="+", help="corpora, or folders of audio"
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoints, log and cache")
    parser.add_argument("--minutes", type=float, default=25.0, help="training time in all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--latent", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1.5e-4, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's choice")
    parser.add_argument("--export", type=Path, default=None, help="weights file to write")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        train(options)
    except SegueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def train(options: argparse.Namespace) -> None:
    """Run the stage with the given options."""
    device = options.device
    torch.manual_seed(0)
    rng = np.random.default_rng(os.getpid())
    data = Patches(options.data, options.out / "cache")
    data.refresh()
    print(f"{data.hours:.2f} h to train on, {len(data.validation)} clips held out", flush=True)
    config = CodecConfig(latent=options.latent)
    network = Autoencoder(config)
    is_new = not (options.out / "state.safetensors").exists()
    if is_new:
        explained = fix_latents(network, data, rng)
        print(f"the latents explain {explained:.1%} of the variance", flush=True)
        Codec(network).save(options.out / "untrained.safetensors", "principal components only")
        network.requires_grad_(True).train()
    for part in (network.encoder, network.project, network.unproject):
        part.requires_grad_(False)  # see the module's text
    network.to(device)
    trainer = TimedTrainer(network, options.out, options.rate, total_steps=10**9, weight_decay=0.01)
    earlier = trainer.history[-1].get("minutes", 0.0) if trainer.history else 0.0
    trainer.minutes, trainer.elapsed = options.minutes, earlier
    begin = last = time.monotonic()
    decibels = validate(averaged_network(trainer, config, device), data.validation, device)
    print(f"held-out error {decibels:.2f} dB at the start", flush=True)
    for _ in trainer.run(options.minutes - earlier, checkpoint_seconds=120):
        patches = data.sample(rng, BATCH, LENGTH).to(device)
        output = forward(network, patches, NOISE)
        terms = loss_terms(output[:, WARMUP_FRAMES:], patches[:, WARMUP_FRAMES:])
        now = time.monotonic()
        trainer.elapsed = earlier + (now - begin) / 60
        logged = {name: float(value.detach()) for name, value in terms.items()}
        trainer.descend(
            torch.stack(list(terms.values())).sum(),
            **logged,
            minutes=trainer.elapsed,
            held_out_db=decibels,
        )
        if now - last > 60:
            last = now
            data.refresh(max_seconds=5.0)
            decibels = validate(averaged_network(trainer, config, device), data.validation, device)
            print(
                f"\n{trainer.elapsed:.1f} min, step {trainer.step}, {data.hours:.2f} h: "
                f"held-out error {decibels:.2f} dB",
                flush=True,
            )
    final = averaged_network(trainer, config, device)
    target = options.export or options.out / "codec.safetensors"
    note = f"trained {trainer.elapsed:.0f} min, {trainer.step} steps, {data.hours:.1f} h of audio"
    Codec(final.to("cpu")).save(target, note)
    print(f"{target}: {note}; held-out error {validate(final, data.validation, device):.2f} dB")


if __name__ == "__main__":
    sys.exit(main())
