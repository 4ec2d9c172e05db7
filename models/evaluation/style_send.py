"""Style send: is the output nearer to what is played in, the more the send is opened? Offline.

    python -m models.evaluation style-send render FOLDER [--set 0] [--real FILES]
    python models/evaluation/tagger.py embed FOLDER/heard --out FOLDER/heard.npz    in musicnn's own
    python models/evaluation/tagger.py tag FOLDER/heard --out FOLDER/heard.json     environment
    python -m models.evaluation style-send figures FOLDER

Twenty clips of the corpus' composer from held-out seeds, each of another term that the outside
tagger has a word for, are played in as `main.py render --input --send style=` does, over one
prompt, once for each amount of the send and with one seed. Compared are the last seconds of clip
and output: by the engine's own embedding, by the tagger's, and by the words that it hears.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.interface import Engine
from models.evaluation.tagger import WORDS, figures
from models.music.score import SAMPLE_RATE
from models.storage.json_types import JsonObject

Row = NDArray[np.float64]
Render = Callable[[list[str]], object]
PROMPT: Final = "Indie Pop"
AMOUNTS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
SECONDS: Final = 16.0
MEASURED: Final = 8.0
"""Seconds at the end of clip and output that are compared."""
CLIPS: Final = 20
SEED: Final = 560_000
FIRST_WORDS: Final = 10
BY_TEXT: Final = "text"
"""Name of the rendering of a clip's term as a text prompt, in place of an amount."""


def terms_of(number: int) -> list[str]:
    """The terms of a set of clips; no two sets share one. ValueError where there is none."""
    names = sorted(set(WORDS) - {PROMPT})
    order = np.random.default_rng(SEED).permutation(len(names))
    chosen = order[number * CLIPS : (number + 1) * CLIPS]
    if not len(chosen):
        raise ValueError(f"There is no set {number}: choose one from 0 to {len(names) // CLIPS}.")
    return [names[index] for index in chosen]


def corpus_clip(term: str, seed: int) -> NDArray[np.float32]:
    """What the corpus' composer writes for a term from a held-out seed, float32 (n, 2)."""
    from models.corpus.composer.composer import compose
    from models.corpus.dataset import EVAL_SEEDS
    from models.corpus.sound.render import fit_range, render

    song = fit_range(compose(EVAL_SEEDS + seed, [(term, 1.0)], SECONDS, split="eval"))
    return np.asarray(render(song, np.random.default_rng(seed), SECONDS, "eval").mix, np.float32)


def real_clip(path: Path) -> NDArray[np.float32]:
    """A stretch of a recording that begins after a third of it, float32 (n, 2) at 48 kHz."""
    import soundfile
    import soxr

    with soundfile.SoundFile(path) as file:
        file.seek(max(0, min(file.frames // 3, file.frames - round(SECONDS * file.samplerate))))
        sound = file.read(round(SECONDS * file.samplerate), dtype="float32", always_2d=True)
        pair = sound[:, :2] if sound.shape[1] > 1 else np.repeat(sound, 2, axis=1)
        return np.asarray(soxr.resample(pair, file.samplerate, SAMPLE_RATE), np.float32)


def by_command(arguments: list[str]) -> None:
    """Run `main.py render` with these arguments."""
    main_file = Path(__file__).resolve().parents[2] / "main.py"
    subprocess.run([sys.executable, str(main_file), "render", *arguments], check=True)


def render(folder: Path, number: int, real: Sequence[Path], run: Render = by_command) -> None:
    """Play in every clip that was not yet; its end, and that of the output, go to FOLDER/heard."""
    import soundfile

    (folder / "clips").mkdir(parents=True, exist_ok=True)
    (folder / "heard").mkdir(exist_ok=True)
    names = [path.stem for path in real] or terms_of(number)
    seeds = {name: SEED + CLIPS * number + index for index, name in enumerate(names)}
    clips = {name: folder / "clips" / f"{name}.wav" for name in names}
    for index, (name, clip) in enumerate(clips.items()):
        if not clip.exists():
            sound = real_clip(real[index]) if real else corpus_clip(name, seeds[name])
            soundfile.write(clip, sound, SAMPLE_RATE, subtype="FLOAT")
        _keep_end(clip, folder / "heard" / f"{name}.wav")
    prompts: dict[tuple[str, object], str] = {}
    prompts |= {(name, amount): PROMPT for name in names for amount in AMOUNTS}
    prompts |= {} if real else {(name, BY_TEXT): name for name in names}
    for (name, amount), prompt in prompts.items():
        target, whole = folder / "heard" / f"{name}@{amount}.wav", folder / "whole.wav"
        if target.exists():
            continue
        options = [str(whole), "--seconds", str(SECONDS), "--seed", str(seeds[name])]
        options += ["--prompt", prompt]
        if amount != BY_TEXT:
            options += ["--input", str(clips[name]), "--send", f"style={amount}"]
        run(options)
        _keep_end(whole, target)


def _keep_end(whole: Path, target: Path) -> None:
    import soundfile

    sound, rate = soundfile.read(whole, dtype="float32", always_2d=True)
    part = target.with_suffix(".part")
    end = sound[-round(MEASURED * rate) :]
    soundfile.write(part, end, rate, subtype="FLOAT", format="WAV")
    part.replace(target)  # last: marks it finished


def own_embeddings(engine: Engine, folder: Path) -> dict[str, Row]:
    """The engine's own style of every sound of a folder, by its name."""
    import soundfile

    found = {}
    for path in sorted(folder.glob("*.wav")):
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        found[path.stem] = engine.embed_audio(sound, rate).astype(np.float64)
    return found


def similarities(rows: dict[str, Row], centred: bool) -> tuple[list[str], Row]:
    """Names of the clips, and the cosine of each clip to its outputs, (clips, amounts).

    centred: from the mean of all clips, for embeddings that have much in common.
    """
    names = sorted(name for name in rows if "@" not in name)
    middle = np.mean([rows[name] for name in names], axis=0) if centred else 0.0
    unit = {
        name: (row - middle) / max(float(np.linalg.norm(row - middle)), 1e-9)
        for name, row in rows.items()
    }
    table = [[float(unit[n] @ unit[f"{n}@{a}"]) for a in AMOUNTS] for n in names]
    return names, np.array(table)


def rank_correlation(table: Row) -> JsonObject:
    """Spearman's, of the amount and the similarity.

    Args:
        table: similarities (clips, amounts), the amounts rising.

    Returns:
        That of the mean similarity (`of_mean`), `mean` and `median` of those of single clips, the
        share of them at .9 or more, and the mean similarity itself.

    """
    each = [_spearman(row) for row in table]
    return {
        "of_mean": _spearman(table.mean(axis=0)),
        "mean": float(np.mean(each)),
        "median": float(np.median(each)),
        "share_at_0.9": float(np.mean([value >= 0.9 - 1e-9 for value in each])),
        "similarity": table.mean(axis=0).round(4).tolist(),
        "each": [round(value, 3) for value in each],
    }


def _spearman(row: Row) -> float:
    if np.ptp(row) == 0.0:
        return 0.0
    return float(np.corrcoef(np.arange(len(row)), _ranks(row))[0, 1])


def _ranks(row: Row) -> Row:
    """Ranks of values, (n,); equal ones share theirs."""
    _, places, counts = np.unique(row, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[places], np.float64)


def shared_words(tags: dict[str, dict[str, dict[str, float]]]) -> Row:
    """Of the tagger's first ten words of a clip, how many are among the output's, (clips, amounts);
    the mean of both networks.
    """

    def first(clip: dict[str, float]) -> set[str]:
        return set(sorted(clip, key=lambda word: -clip[word])[:FIRST_WORDS])

    def shared(clip: str, output: str) -> float:
        counts = [len(first(words) & first(tags[output][n])) for n, words in tags[clip].items()]
        return float(np.mean(counts))

    names = sorted(name for name in tags if "@" not in name)
    return np.array([[shared(name, f"{name}@{amount}") for amount in AMOUNTS] for name in names])


def evaluate(folder: Path, engine: Engine) -> JsonObject:
    """All figures of a folder; those of the tagger where it has listened."""
    own = own_embeddings(engine, folder / "heard")
    names, table = similarities(own, centred=False)
    result: JsonObject = {"clips": names, "own": rank_correlation(table)}
    if (folder / "heard.npz").exists():
        with np.load(folder / "heard.npz") as found:
            outside = {name: found[name].mean(axis=0).astype(np.float64) for name in found.files}
        result["tagger"] = rank_correlation(similarities(outside, centred=True)[1])
    if (folder / "heard.json").exists():
        tags = json.loads((folder / "heard.json").read_text(encoding="utf-8"))
        result["words"] = rank_correlation(shared_words(tags))
        columns = {"clip": "", **{str(a): f"@{a}" for a in AMOUNTS}, BY_TEXT: f"@{BY_TEXT}"}
        asked = {
            key: {name: tags[name + end] for name in names if name + end in tags}
            for key, end in columns.items()
        }
        if set(names) <= set(WORDS):
            result["asked_words"] = {key: _short(figures(of)) for key, of in asked.items() if of}
    return result


def _short(found: JsonObject) -> JsonObject:
    return {key: round(found[key], 3) for key in ("counted", "first_10", "median_raised", "above")}


def main(arguments: Sequence[str]) -> int:
    """Play in or count."""
    parser = argparse.ArgumentParser(
        prog="python -m models.evaluation style-send", description="Measure the style send."
    )
    parser.add_argument("what", choices=("render", "figures"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", type=int, default=0, help="of clips: 0, 1 or 2")
    parser.add_argument("--real", type=Path, nargs="*", default=[], help="recordings instead")
    parser.add_argument("--engine", default="segue", help="whose embedding counts")
    asked = parser.parse_args(arguments)
    if asked.what == "render":
        render(asked.folder, asked.set, asked.real)
        return 0
    from models import open_engine

    found = evaluate(asked.folder, open_engine(asked.engine))
    text = json.dumps(found, indent=1)
    (asked.folder / "style_send.json").write_text(text, encoding="utf-8")
    print(text)
    return 0
