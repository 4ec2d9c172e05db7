"""From nothing to weights that play, by the command that models.training documents."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models import Controls
from models.corpus.sound import soundfont
from models.segue.diffusion_engine import DiffusionEngine
from models.segue.style.model import StyleModel
from models.storage.weights import WEIGHTS, check_files, sha256_of


@pytest.mark.skipif(not soundfont.available(), reason="the General MIDI banks are not installed")
def test_one_command_leads_from_nothing_to_weights_that_play(tmp_path: Path) -> None:
    shipped = {path: sha256_of(path) for path in WEIGHTS.glob("*.safetensors")}
    weights = tmp_path / "weights"
    words = ["--out", str(tmp_path), "--hours", "0.005", "--minutes", "0.03"]
    words += ["--weights", str(weights)]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "models.training", *words],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # What is not trained is taken from the shipped weights; each trained file is another one.
    names = {path.name for path in weights.glob("*.safetensors")}
    assert names == {f"{n}.safetensors" for n in ("arranger", "codec", "renderer", "style")}
    assert all(sha256_of(weights / name) != shipped[WEIGHTS / name] for name in names)
    assert {path: sha256_of(path) for path in WEIGHTS.glob("*.safetensors")} == shipped
    check_files("segue", weights)

    style = StyleModel.load(weights=weights / "style.safetensors")
    assert style.tower is not None
    engine = DiffusionEngine("cpu", weights)
    assert engine.renderer.sampler.levels == (0.0, 0.5), "not the distilled weights of two passes"
    stream = engine.start(seed=1)
    block = stream.render(Controls(style=style.embed_text("techno")))
    assert block.shape == (engine.info.block_frames, 2)
    assert np.isfinite(block).all()
