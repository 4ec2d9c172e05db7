"""Trainer of all stages: optimiser, averaged weights, checkpoints, loss curve, export."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm


def save_atomic(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write safetensors atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({k: v.contiguous() for k, v in tensors.items()}, partial, metadata=dict(metadata))
    partial.replace(path)


def export_half(module: nn.Module, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a module's weights as float16 safetensors, the shipped form."""
    tensors = {
        name: tensor.detach().to("cpu", torch.float16 if tensor.is_floating_point() else None)
        for name, tensor in module.state_dict().items()
    }
    save_atomic(tensors, path, metadata)


EVERY: Final = 8
"""Steps after which the moving average takes in the weights: reading them all is a measurable part
of a step."""
HOLD: Final = 0.6
"""Share of a run up to which the learning rate is held before it decays."""


class MovingAverage:
    """Exponential moving average of a module's weights; these are evaluated and shipped."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self._taken = 0
        self.weights = {k: v.detach().clone().float() for k, v in module.state_dict().items()}

    def resume(self, steps: int) -> None:
        """Go on after a number of steps, all of which are in the weights."""
        self.steps = self._taken = steps

    def update(self, module: nn.Module) -> None:
        """Count a step; every eighth takes in the current weights."""
        self.steps += 1
        if self.steps % EVERY == 0:
            self.catch_up(module)

    @torch.no_grad()
    def catch_up(self, module: nn.Module) -> None:
        """Take in the current weights, with the decay of all steps since they were last; it is
        lower in the first steps.
        """
        count, self._taken = self.steps - self._taken, self.steps
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps)) ** count
        for name, value in module.state_dict().items():
            self.weights[name].lerp_(value.float(), 1 - decay)


class Trainer:
    """Optimiser, averaged weights, log and checkpoint of one stage, in one folder.

    Resumes from `state.safetensors` (weights, average, Adam's moments) and `log.jsonl`.
    """

    def __init__(
        self,
        module: nn.Module,
        out: Path,
        learning_rate: float,
        total_steps: int,
        decay: float = 0.999,
        weight_decay: float = 0.02,
        warmup: int = 100,
    ) -> None:
        self.module, self.out = module, out
        self.learning_rate, self.total_steps, self.warmup = learning_rate, total_steps, warmup
        out.mkdir(parents=True, exist_ok=True)
        matrices = [p for p in module.parameters() if p.requires_grad and p.dim() >= 2]
        vectors = [p for p in module.parameters() if p.requires_grad and p.dim() < 2]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=learning_rate,
            betas=(0.9, 0.97),
            fused=True,
        )
        self.average = MovingAverage(module, decay)
        self.step = 0
        self.history: list[dict[str, float]] = []
        self._pending: dict[str, list[float]] = {}
        self._time_limit: tuple[float, float] | None = None
        self._resume()

    @property
    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimiser.param_groups for p in group["params"]]

    def _resume(self) -> None:
        path = self.out / "state.safetensors"
        if not path.exists():
            return
        saved = load_file(path)
        self.module.load_state_dict({k[6:]: v for k, v in saved.items() if k.startswith("model.")})
        for name in self.average.weights:
            self.average.weights[name] = saved[f"average.{name}"]
        self.step = int(saved["step"])
        self.average.resume(self.step)
        for index, parameter in enumerate(self._parameters):
            if f"adam.{index}.mean" in saved:
                self.optimiser.state[parameter] = {
                    "step": torch.tensor(float(self.step), device=parameter.device),
                    "exp_avg": saved[f"adam.{index}.mean"].to(parameter.device),
                    "exp_avg_sq": saved[f"adam.{index}.square"].to(parameter.device),
                }
        log = self.out / "log.jsonl"
        if log.exists():
            self.history = [json.loads(line) for line in log.read_text().split("\n") if line]

    def save(self) -> None:
        """Write the checkpoint, the log and the loss curve."""
        self.average.catch_up(self.module)
        tensors = {f"model.{k}": v.detach().cpu() for k, v in self.module.state_dict().items()}
        tensors |= {f"average.{k}": v.cpu() for k, v in self.average.weights.items()}
        for index, parameter in enumerate(self._parameters):
            state = self.optimiser.state.get(parameter)
            if state:
                tensors[f"adam.{index}.mean"] = state["exp_avg"].cpu()
                tensors[f"adam.{index}.square"] = state["exp_avg_sq"].cpu()
        tensors["step"] = torch.tensor(self.step)
        tensors = {k: v.clone() for k, v in tensors.items()}
        save_atomic(tensors, self.out / "state.safetensors", {})
        lines = "\n".join(json.dumps(entry) for entry in self.history)
        (self.out / "log.jsonl").write_text(lines + "\n")
        plot_curve(self.history, self.out / "loss.png")

    @property
    def progress(self) -> float:
        """Share of this run's minutes or of all steps that is over, whichever is more, 0 to 1."""
        elapsed = 0.0
        if self._time_limit is not None:
            begin, length = self._time_limit
            elapsed = (time.monotonic() - begin) / length
        return min(1.0, max(self.step / max(1, self.total_steps), elapsed))

    def rate(self) -> float:
        """Learning rate now: linear warm-up, held up to HOLD, then a cosine down to a twentieth. A
        run that goes on after its warm-up is not warmed up again.
        """
        if self.step < self.warmup:
            return self.learning_rate * (self.step + 1) / self.warmup
        share = max(0.0, self.progress - HOLD) / (1.0 - HOLD)
        return self.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))

    def descend(self, loss: Tensor, **logged: float) -> None:
        """One optimiser step on `loss` (a scalar); skipped if it is not finite."""
        self.optimiser.zero_grad(set_to_none=True)
        if not torch.isfinite(loss):
            self.step += 1
            return
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.optimiser.step()
        self.average.update(self.module)
        self.step += 1
        for name, value in {"loss": float(loss.detach()), **logged}.items():
            self._pending.setdefault(name, []).append(value)
        if self.step % 50 == 0:
            means = {name: sum(v) / len(v) for name, v in self._pending.items()}
            self.history.append({"step": self.step, **means})
            self._pending = {}

    def run(self, minutes: float, checkpoint_seconds: float = 180.0) -> Iterator[int]:
        """Yield step numbers until `minutes` or `total_steps`, with checkpoints."""
        begin = saved = time.monotonic()
        self._time_limit = (begin, max(1.0, minutes * 60))
        bar = tqdm(total=self.total_steps, initial=self.step, unit="step", mininterval=5)
        try:
            while self.step < self.total_steps and time.monotonic() - begin < minutes * 60:
                before = self.step
                yield self.step
                bar.update(self.step - before)
                if self.history:
                    bar.set_postfix(loss=f"{self.history[-1]['loss']:.4f}", refresh=False)
                if time.monotonic() - saved > checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
        finally:
            bar.close()
            self.save()


def plot_curve(history: list[dict[str, float]], path: Path) -> None:
    """Plot every logged value over the steps as a PNG."""
    if len(history) < 2:
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = [name for name in history[-1] if name != "step"]
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for name in names:
        points = [(entry["step"], entry[name]) for entry in history if name in entry]
        axes.plot(*zip(*points, strict=True), label=name)
    axes.set_xlabel("step")
    axes.set_yscale("log")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
