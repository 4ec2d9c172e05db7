"""Training of the style model: `python -m models.training.style --data CORPUS [--minutes 10]`.

First the text head (`--text`, needs no corpus), then the audio tower, contrastively against the
frozen anchors and the captions (LiT: locked text, Zhai et al. 2022, section 3): a softmax over the
120 anchors with the clip's term weights as its target, and a softmax over the batch's captions.
Resumes from the last checkpoint in --out. Exports resources/weights/style.safetensors (float16) and
prints the evaluation on held-out clips.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from models.errors import SegueError
from models.runtime.device import resolve_device
from models.segue.style import anchors
from models.segue.style.anchors import WEIGHTS
from models.segue.style.audio_tower import AudioTower, normalise_level
from models.segue.style.model import StyleModel
from models.segue.style.sentence_encoder import SentenceEncoder
from models.training import text_head as style_text
from models.training.sets.mel_set import MelSet, degrade, mix
from models.training.style_evaluation import evaluate_audio, evaluate_text
from models.training.trainer import Trainer, plot_curve, save_atomic

BATCH = 48
CAPTION_SHARE = 0.25
LABEL_SMOOTHING = 0.05


def export(path: Path, head: dict[str, Tensor] | None, tower: dict[str, Tensor] | None) -> None:
    """Write the shipped file: its anchors, and the parts that are not None replaced. Where there is
    no file yet, it begins with the anchors alone.
    """
    if path.exists():
        state = load_file(path)
    else:
        state = {"anchors": torch.from_numpy(anchors.load())}
    for prefix, part in (("head.", head), ("tower.", tower)):
        if part is None:
            continue
        state = {k: v for k, v in state.items() if not k.startswith(prefix)}
        for name, value in part.items():
            tensor = value.detach().cpu()
            state[prefix + name] = tensor.half() if tensor.is_floating_point() else tensor
    if "tower.anchors" in state:
        state["tower.anchors"] = state["anchors"].clone()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_atomic(state, path, {"licence": "Apache-2.0"})


def train_text(out: Path, weights: Path, minutes: float) -> dict[str, float]:
    """Train the head twice, half of the time each: without held-out synonyms to evaluate it, then
    with all to ship it.
    """
    encoder = SentenceEncoder.load()
    captions = style_text.CaptionEncoder(encoder)
    figures: dict[str, float] = {}
    held_out = style_text.held_out_synonyms()
    for name, excluded in (("held-out", held_out), ("shipped", set[str]())):
        end = time.monotonic() + minutes * 60 / 2
        embedding = minutes * 60 / 2 * style_text.EMBEDDING_SHARE
        data = style_text.make_set(captions, style_text.CAPTIONS, 1, excluded, embedding)
        head = style_text.make_head(captions, excluded)
        steps = style_text.steps_within(head, data, end - time.monotonic())
        print(f"text head, {name}: {len(data.x)} captions, {steps} steps", flush=True)
        curve = style_text.train_head(head, data, steps, 0)
        plot_curve(curve, out / f"text-{name}.png")
        if excluded:
            figures |= evaluate_text(head, encoder, held_out)
    export(weights, head.state_dict(), None)
    return figures


def loss_terms(
    tower: AudioTower, power: Tensor, shares: Tensor, caption_styles: Tensor, is_unmixed: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy over the anchors, and over the batch's captions for the unmixed clips."""
    embedded = tower.embed(normalise_level(power))
    scale = tower.scale.clamp_max(5.0).exp()
    target = shares * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / shares.shape[1]
    terms_loss = -(target * (scale * embedded @ tower.anchors.T).log_softmax(-1)).sum(-1).mean()
    captions = F.normalize(caption_styles, dim=-1)
    # Clips with equivalent captions are each other's positives.
    same = ((captions @ captions.T) > 0.9).float()
    same = same / same.sum(-1, keepdim=True)
    log_probabilities = (scale * embedded @ captions.T).log_softmax(-1)
    captions_loss = -(
        (same * log_probabilities).sum(-1) * is_unmixed
    ).sum() / is_unmixed.sum().clamp_min(1)
    return terms_loss, captions_loss


def train_audio(arguments: argparse.Namespace) -> dict[str, float]:
    """Train and export the tower; returns the evaluation on held-out clips."""
    device = resolve_device(arguments.device)
    own = arguments.weights if arguments.weights.exists() else WEIGHTS
    data = MelSet(arguments.data, arguments.cache, StyleModel.load(weights=own))
    data.refresh()
    data.style = None if arguments.final else data.style
    torch.manual_seed(arguments.seed)
    tower = AudioTower(torch.from_numpy(anchors.load())).to(device)
    trainer = Trainer(
        tower, arguments.out, 2e-3, arguments.steps, decay=0.998, weight_decay=0.05, warmup=100
    )
    rng = np.random.default_rng([arguments.seed, trainer.step])
    tower.train()
    for step in trainer.run(arguments.minutes, checkpoint_seconds=120):
        if step % 200 == 199 and not arguments.final:
            data.refresh(64)
        power, shares, caption_styles = data.crops(rng, arguments.batch)
        power, shares, mixed = mix(power, shares, rng)
        batch = [
            t.to(device) for t in (degrade(power, rng), shares, caption_styles, (~mixed).float())
        ]
        terms_loss, captions_loss = loss_terms(tower, *batch)
        trainer.descend(
            terms_loss + CAPTION_SHARE * captions_loss,
            terms=float(terms_loss.detach()),
            captions=float(captions_loss.detach()),
        )
    export(arguments.weights, None, trainer.average.weights)
    tower.load_state_dict(trainer.average.weights)
    clips = len(data.train)
    print(f"trained {trainer.step} steps on {clips} clips, {len(data.validation)} held out")
    return evaluate_audio(tower.eval(), data.validation)


def main(argv: list[str] | None = None) -> int:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="corpus folders")
    parser.add_argument("--out", type=Path, default=Path("runs/style"), help="checkpoints, curves")
    parser.add_argument("--cache", type=Path, default=None, help="log-mels (default: OUT/mels)")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="exported weights")
    parser.add_argument("--text", action="store_true", help="train the text head, too")
    parser.add_argument("--text-minutes", type=float, default=10.0, help="of it, at most")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training the tower")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--final", action="store_true", help="read no new clips while training")
    parser.add_argument("--evaluate", action="store_true", help="only measure the weights")
    arguments = parser.parse_args(argv)
    arguments.cache = arguments.cache or arguments.out / "mels"
    arguments.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, float] = {}
    try:
        if arguments.evaluate:
            style = StyleModel.load(weights=arguments.weights)
            data = MelSet(arguments.data, arguments.cache, style)
            data.refresh()
            if style.tower is None:
                raise SegueError("These weights hold no audio tower; train one first.")
            figures |= evaluate_audio(style.tower, data.validation)
        else:
            if not arguments.text and not arguments.data:
                raise SegueError("Nothing to train: give --data CORPUS, or --text, or both.")
            if arguments.text:
                figures |= train_text(arguments.out, arguments.weights, arguments.text_minutes)
            if arguments.data:
                figures |= train_audio(arguments)
    except SegueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, value in figures.items():
        print(f"{name:40s} {value:.3f}")
    with (arguments.out / "figures.json").open("w", encoding="utf-8") as file:
        json.dump(figures, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
