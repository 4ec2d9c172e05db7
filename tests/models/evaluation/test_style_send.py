"""Measure of the style send: its clips, its renderings, its figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.evaluation import style_send
from models.evaluation.style_send import AMOUNTS, BY_TEXT, PROMPT
from models.evaluation.tagger import WORDS
from tests.support.tone_engine import ToneEngine

RATE = 48_000


def test_sets_of_clips_share_no_term() -> None:
    sets = [style_send.terms_of(number) for number in range(3)]
    terms = [term for each in sets for term in each]
    assert len(sets[0]) == len(sets[1]) == 20
    assert len(terms) == len(set(terms)) and set(terms) == set(WORDS) - {PROMPT}
    with pytest.raises(ValueError, match="from 0 to 2"):
        style_send.terms_of(3)


@pytest.mark.parametrize(
    ("rows", "mean", "of_mean"),
    [
        ([[0.1, 0.2, 0.3, 0.4, 0.5], [5.0, 6.0, 7.0, 8.0, 9.0]], 1.0, 1.0),
        ([[0.5, 0.4, 0.3, 0.2, 0.1]], -1.0, -1.0),
        ([[0.1, 0.3, 0.2, 0.4, 0.5], [0.2, 0.1, 0.3, 0.4, 0.5]], 0.9, 1.0),
        ([[0.3] * 5], 0.0, 0.0),
    ],
)
def test_rank_correlation(rows: list[list[float]], mean: float, of_mean: float) -> None:
    found = style_send.rank_correlation(np.array(rows))
    assert found["mean"] == pytest.approx(mean) and found["of_mean"] == pytest.approx(of_mean)


def mixed(number: float) -> np.ndarray:
    """A low tone that becomes a high one, (n, 2)."""
    at = np.arange(round(1.5 * RATE)) / RATE
    line = (1 - number) * np.sin(600 * at) + number * np.sin(9000 * at)
    return np.repeat(0.3 * line[:, None], 2, axis=1).astype(np.float32)


def test_figures_rise_with_what_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Renderings that come nearer to the clip with the amount, by both ears and in words."""
    monkeypatch.setattr(style_send, "terms_of", lambda number: ["Techno", "Harp"])
    monkeypatch.setattr(style_send, "corpus_clip", lambda term, seed: mixed(1.0))
    calls = []

    def run(options: list[str]) -> None:
        calls.append(options)
        send = options[-1].partition("style=")[2] if "--send" in options else "1"
        soundfile.write(options[0], mixed(float(send)), RATE, subtype="FLOAT")

    style_send.render(tmp_path, 0, [], run)
    assert len(calls) == 2 * (len(AMOUNTS) + 1)
    assert [c[c.index("--prompt") + 1] for c in calls[-2:]] == ["Techno", "Harp"]
    assert len({c[c.index("--seed") + 1] for c in calls}) == 2
    style_send.render(tmp_path, 0, [], run)
    assert len(calls) == 2 * (len(AMOUNTS) + 1)  # what is there is kept
    rng = np.random.default_rng(0)
    ends = {"": 1.0, **{f"@{a}": a for a in AMOUNTS}, f"@{BY_TEXT}": 1.0}
    vectors = {"Techno": rng.standard_normal(200), "Harp": rng.standard_normal(200)}
    low, words = rng.standard_normal(200), [f"word {n}" for n in range(20)]
    rows = {n + e: [a * v + (1 - a) * low] for n, v in vectors.items() for e, a in ends.items()}
    arrays = {name: np.array(row) for name, row in rows.items()}
    np.savez(tmp_path / "heard.npz", **arrays)  # type: ignore[arg-type]
    tags = {
        n + e: {
            net: {w: float(i < 10 * a) + 0.01 * i for i, w in enumerate([*words, "techno", "harp"])}
            for net in ("MTT", "MSD")
        }
        for n in vectors
        for e, a in ends.items()
    }
    (tmp_path / "heard.json").write_text(json.dumps(tags))
    found = style_send.evaluate(tmp_path, ToneEngine())
    assert found["clips"] == ["Harp", "Techno"]
    assert found["tagger"]["mean"] == found["words"]["mean"] == pytest.approx(1.0)
    assert found["words"]["similarity"][-1] == 10.0
    assert set(found["asked_words"]) == {"clip", *map(str, AMOUNTS), BY_TEXT}


def test_a_recording_is_taken_from_its_middle(tmp_path: Path) -> None:
    rate = 22_050
    line = np.linspace(0, 1, 60 * rate, dtype=np.float32)
    soundfile.write(tmp_path / "r.wav", line, rate, subtype="FLOAT")
    sound = style_send.real_clip(tmp_path / "r.wav")
    assert sound.shape == (round(style_send.SECONDS) * RATE, 2)
    assert sound[RATE, 0] == pytest.approx(1 / 3 + 1 / 60, abs=1e-3)
