"""From nothing to guided weights, by the commands that models.training documents."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.corpus.sound import soundfont
from models.segue.renderer.guide_weights import with_guide
from models.segue.renderer.loading import load_inference, load_renderer
from models.storage.weights import WEIGHTS
from models.training import guided_latents, guided_student, renderer


@pytest.mark.skipif(not soundfont.available(), reason="the General MIDI banks are not installed")
def test_songs_become_clips_with_guides_and_these_become_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips, run = tmp_path / "clips", tmp_path / "run"
    one = [f"--hours={30 / 3600}", f"--out={clips}"]
    assert guided_latents.main(one) == 0
    (clip,) = clips.iterdir()
    with np.load(clip) as arrays:
        latents, guide = arrays["latents"], arrays["guide"]
    assert latents.shape == guide.shape == (750, latents.shape[1])
    # The same notes at the same time: alike as they are, less so a frame earlier or later.
    whole = slice(20, -20)
    alike = {
        lag: np.corrcoef(latents[whole].ravel(), np.roll(guide, lag, 0)[whole].ravel())[0, 1]
        for lag in range(-10, 11)
    }
    assert max(alike, key=lambda lag: alike[lag]) == 0
    assert alike[0] > 0.3
    made = clip.stat().st_mtime_ns
    assert guided_latents.main(one) == 0
    assert clip.stat().st_mtime_ns == made, "a clip that is there was made again"

    # Which format is the faster one takes seconds to find, and is not asked here.
    monkeypatch.setattr(renderer, "fastest_format", lambda *_: torch.float32)
    words = ["renderer", "--guided", f"--data={clips}", f"--out={run}", "--batch=1", "--blocks=4"]
    words += ["--threads=1", f"--export={run / 'r.safetensors'}"]
    monkeypatch.setattr(sys, "argv", [*words, "--steps=1"])
    renderer.main()
    monkeypatch.setattr(sys, "argv", [*words, "--steps=2"])
    renderer.main()  # goes on from the first step
    inference = load_inference(run / "r.safetensors")
    assert inference.config.guided == 1
    assert inference.config.latent_dim == latents.shape[1]

    # The same guide, taught to the shipped weights of two passes.
    monkeypatch.setattr(guided_student, "fastest_format", lambda *_: torch.float32)
    words = ["guided_student", f"--data={clips}", f"--out={run / 'student'}", "--batch=1"]
    words += ["--blocks=4", "--steps=1", "--threads=1", f"--export={run / 's.safetensors'}"]
    words += [f"--guide={run / 'guide.safetensors'}"]
    monkeypatch.setattr(sys, "argv", words)
    guided_student.main()
    student, shipped = (
        load_inference(path) for path in (run / "s.safetensors", WEIGHTS / "renderer.safetensors")
    )
    assert student.config.guided == 1
    assert student.sampler == shipped.sampler
    base = WEIGHTS / "renderer.safetensors"
    taught = with_guide(base, load_renderer(base), run / "guide.safetensors")
    assert taught.config == student.config

    # Gone on with: without a step what comes out is what went in, with one it has moved.
    again = run / "again.safetensors"
    for steps in (0, 1):
        more = [w for w in words if not w.startswith(("--steps", "--guide", "--out", "--export"))]
        more += [f"--start={run / 'guide.safetensors'}", f"--guide={again}", f"--steps={steps}"]
        monkeypatch.setattr(sys, "argv", [*more, f"--out={run / f'again{steps}'}"])
        guided_student.main()
        weights = with_guide(base, load_renderer(base), again).state_dict()
        near = [
            torch.allclose(weights[n], value, atol=2e-3) for n, value in taught.state_dict().items()
        ]
        moved = [not torch.equal(weights[n], value) for n, value in taught.state_dict().items()]
        assert all(near) and (steps == 0 or any(moved))
