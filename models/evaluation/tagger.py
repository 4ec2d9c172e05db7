"""Prompts by an outside ear: a tagger, asked for the words that it has. Offline.

    python -m models.evaluation.tagger render CLIPS [--source engine|corpus] [--seeds SET]
    python models/evaluation/tagger.py tag CLIPS --out TAGS.json       in musicnn's own environment
    python models/evaluation/tagger.py embed CLIPS --out FILE.npz      there too, for the ladder
    python -m models.evaluation.tagger figures TAGS.json --ceiling OF_CORPUS.json --out tagger.json

The tagger is musicnn 0.1.0 (Pons & Serra 2019, "musicnn: pre-trained convolutional neural networks
for music audio tagging"), with the weights of its package: two networks, each of fifty tags, of
MagnaTagATune (MTT) and of the Million Song Dataset (MSD). It needs TensorFlow, and so an
environment of its own (tensorflow-cpu 2.15, numpy under 2, librosa, musicnn without its pins); this
file therefore imports the project only where it plays. The ceiling is the same measure on what the
corpus' composer writes for the same terms from held-out seeds: what the engine was trained to be.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

Figures = dict[str, Any]
Tags = dict[str, dict[str, dict[str, float]]]
"""Of each clip's name, of each network, the probability of every tag."""

NETWORKS: Final = {"MTT": "MTT_musicnn", "MSD": "MSD_musicnn"}
PENULTIMATE: Final = -1
"""Place of the last layer under the tags among a network's outputs."""
EMBEDDING_HOP: Final = 1.5
EMBEDDING_LEVEL_DB: Final = -17.0
SECONDS, SETTLE = 12.0, 2.0  # as models.evaluation.prompts, which does not judge the first two
SEED_STEP: Final = 10_000
"""Distance of the seeds of one set of clips from those of the next."""

WORDS: Final[dict[str, tuple[str | None, str | None]]] = {
    "Alternative Country": ("country", "country"), "Ambient": ("ambient", "ambient"),
    "American Folk": (None, "folk"), "Blues Rock": ("rock", "blues"), "Cello": ("cello", None),
    "Chillout": (None, "chillout"), "Classic Rock": ("rock", "classic rock"),
    "Congo Drums": ("drums", None), "Contemporary R&B": (None, "rnb"),
    "Country": ("country", "country"), "Delta Blues": (None, "blues"),
    "Dirty Synths": ("synth", None), "Disco Funk": (None, "funk"),
    "Electro Swing": (None, "electro"), "Fiddle": ("violin", None),
    "Flamenco Guitar": ("guitar", "guitar"), "Funk Drums": ("drums", "funk"),
    "Funk Metal": ("metal", "metal"), "Funky": (None, "funk"), "Fuzz Guitar": ("guitar", "guitar"),
    "Garage Rock": ("rock", "rock"), "Guitar": ("guitar", "guitar"), "Gypsy Jazz": (None, "jazz"),
    "Hard Bop Jazz": (None, "jazz"), "Hard Rock": ("rock", "hard rock"), "Harp": ("harp", None),
    "Harpsichord": ("harpsichord", None), "Heavy Metal": ("metal", "heavy metal"),
    "Indian Classical": ("indian", None), "Indie Electronic": ("electronic", "electronic"),
    "Indie Folk": (None, "folk"), "Indie Pop": ("pop", "indie pop"),
    "Industrial Rock": ("rock", "rock"), "Irish Folk": (None, "folk"), "K-Pop": ("pop", "pop"),
    "Latin Jazz": (None, "jazz"), "LinnDrum": ("drums", None), "Lo-Fi Hip Hop": (None, "Hip-Hop"),
    "Minimal Techno": ("techno", None), "Neo-Soul": (None, "soul"), "Piano Ballad": ("piano", None),
    "Pop Punk": ("pop", "punk"), "Post Rock": ("rock", "rock"), "Post-Punk": (None, "punk"),
    "Progressive House": (None, "House"), "Psychedelic Rock": ("rock", "rock"),
    "R&B (Rhythm and Blues)": (None, "rnb"), "Ragtime Piano": ("piano", None),
    "Sitar": ("sitar", None), "Smooth Pianos": ("piano", None), "Surf Rock": ("rock", "rock"),
    "Synth Pads": ("synth", None), "Synthpop": ("pop", "pop"),
    "TR-909 Drum Machine": ("drums", None), "Techno": ("techno", None),
    "Thrash Metal": ("metal", "metal"), "Warm Acoustic Guitar": ("guitar", "acoustic"),
    "West Coast Hip Hop": (None, "Hip-Hop"),
}  # fmt: skip
"""Our term and the word of either tagger, (MTT, MSD): only where the word is in the term's name or
is another name of the same thing, and of several the narrowest. Families ("electronic" for dubstep,
"classical" for a bassoon) are left out: the tagger does not have the word."""


def render(folder: Path, source: str, seeds: int = 0) -> None:
    """A WAV a term, 48 kHz stereo, its first two seconds cut off; those that are there are kept.

    `seeds` is the number of the set of seeds: figures of one clip a term scatter by several per
    cent, and what was chosen on one set is judged on another.
    """
    import soundfile

    import models.corpus.sound.render as mixing
    from models import Controls, open_engine
    from models.corpus.composer.composer import compose
    from models.corpus.dataset import EVAL_SEEDS
    from models.evaluation.measures import SEED, play
    from models.music.score import SAMPLE_RATE
    from models.segue.style.terms import INDEX

    folder.mkdir(parents=True, exist_ok=True)
    engine = open_engine("segue") if source == "engine" else None
    for term in (term for term in WORDS if not (folder / f"{term}.wav").exists()):
        seed = SEED + 600 + INDEX[term]  # as models.evaluation.prompts
        seed += SEED_STEP * seeds
        if engine is not None:
            audio = play(engine, Controls(style=engine.embed_text(term)), SECONDS, seed)
        else:
            rng, held_out = np.random.default_rng(seed), EVAL_SEEDS + seed
            song = mixing.fit_range(compose(held_out, [(term, 1.0)], SECONDS, split="eval"))
            audio = mixing.render(song, rng, SECONDS, "eval").mix
        part, cut = folder / f"{term}.part", audio[round(SETTLE * SAMPLE_RATE) :]
        soundfile.write(part, cut, SAMPLE_RATE, subtype="FLOAT", format="WAV")
        part.replace(part.with_suffix(".wav"))  # last: marks it finished


def patches_of(folder: Path, hop: float, level_db: float | None = None) -> dict[str, np.ndarray]:
    """Mel patches (n, frames, bands) of 3 s, `hop` seconds apart, of every clip of a folder, as
    musicnn.extractor has them; with a level, of the clip at that mean square.
    """
    import librosa
    from musicnn import configuration as config

    sizes = {"sr": config.SR, "n_fft": config.FFT_SIZE, "hop_length": config.FFT_HOP}
    frames, step = (int(librosa.time_to_frames(seconds, **sizes)) + 1 for seconds in (3, hop))
    patches = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".wav", ".mp3", ".flac")):
        audio, _ = librosa.load(path, sr=config.SR)
        if level_db is not None:
            audio = audio * (10 ** (level_db / 20) / np.sqrt(np.square(audio).mean() + 1e-12))
        mel = librosa.feature.melspectrogram(y=audio, **sizes, n_mels=config.N_MELS).T
        mel = np.log10(10_000 * mel + 1)  # in float32: musicnn's float16 overflows at 65504
        if len(mel) < frames:
            raise ValueError(f"{path} is shorter than the 3 s that the tagger listens to at once.")
        starts = range(0, len(mel) - frames + 1, step)
        patches[path.stem] = np.stack([mel[start : start + frames] for start in starts])
    return patches


def run_network(
    model: str, words: int, output: int, patches: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Of each clip what a network gives for its patches, (n, ...): `output` is the place in what
    musicnn.models.define_model returns.
    """
    import musicnn
    import tensorflow as tf
    from musicnn import models as networks

    tf.compat.v1.disable_eager_execution()
    tf.compat.v1.reset_default_graph()
    shape = next(iter(patches.values())).shape[1:]
    with tf.name_scope("model"):  # where the checkpoint has its names
        x = tf.compat.v1.placeholder(tf.float32, [None, *shape])
        training = tf.compat.v1.placeholder(tf.bool)
        found = networks.define_model(x, training, model, words)[output]
    with tf.compat.v1.Session() as session:
        weights = Path(musicnn.__file__).parent / model
        tf.compat.v1.train.Saver().restore(session, f"{weights}/")
        return {
            name: session.run(found, {x: batch, training: False}) for name, batch in patches.items()
        }


def tag(folder: Path) -> Tags:
    """Mean probabilities over patches of 3 s, as musicnn.tagger.top_tags; without the project."""
    from musicnn import configuration as config

    patches = patches_of(folder, 3.0)
    tags: Tags = {name: {} for name in patches}
    for short, model in NETWORKS.items():
        words = getattr(config, f"{short}_LABELS")
        for name, logits in run_network(model, len(words), 0, patches).items():
            mean = (1 / (1 + np.exp(-logits))).mean(axis=0)
            tags[name][short] = dict(zip(words, mean.tolist(), strict=True))
    return tags


def embed(folder: Path, out: Path) -> None:
    """Write musicnn's embeddings of a folder's clips, (n, 200) of each by its name, as .npz.

    The embedding is the penultimate layer of the MagnaTagATune network, of clips at one level.
    """
    from musicnn import configuration as config

    patches = patches_of(folder, EMBEDDING_HOP, EMBEDDING_LEVEL_DB)
    found = run_network(NETWORKS["MTT"], len(config.MTT_LABELS), PENULTIMATE, patches)
    part = out.with_suffix(".part.npz")
    np.savez(part, **found)  # type: ignore[arg-type]
    part.replace(out)


def figures(tags: Tags) -> Figures:
    """Rank and rise of the asked word, one case a term and network that has a word for it.

    `raised` is the word's probability over its mean in the clips of terms that do not ask for it,
    `above` the share of those clips that it exceeds; `chance` is how often they have the word
    among the first ten (or five) all the same. ValueError where there is nothing to compare.
    """
    cases = []
    tags = {term: tags[term] for term in WORDS if term in tags}
    for term, column in itertools.product(tags, range(len(NETWORKS))):
        network, word = list(NETWORKS)[column], WORDS[term][column]
        if word is not None:
            others = [clip[network] for name, clip in tags.items() if WORDS[name][column] != word]
            if not others:
                raise ValueError(f"Only clips that ask for {word}: play other terms too.")
            case: Figures = {"prompt": term, "network": network, "word": word}
            clips = (tags[term][network], *others)
            case["rank"], *elsewhere = (1 + sum(p > t[word] for p in t.values()) for t in clips)
            for count in (5, 10):
                case[f"first_{count}"] = case["rank"] <= count
                case[f"chance_{count}"] = statistics.mean(rank <= count for rank in elsewhere)
            case["probability"] = mine = tags[term][network][word]
            case["raised"] = mine / statistics.mean(other[word] for other in others)
            case["raises"] = case["raised"] > 1
            case["above"] = statistics.mean(mine > other[word] for other in others)
            cases.append(case)
    if not cases:
        raise ValueError("No clip there has the name of a term that the tagger has a word for.")
    columns = {key: [case[key] for case in cases] for key in cases[0]}
    means = ("first_5", "first_10", "chance_5", "chance_10", "raises", "above")
    return {
        "terms": len(tags),
        "counted": len(cases),
        **{key: statistics.mean(columns[key]) for key in means},
        **{f"median_{key}": statistics.median(columns[key]) for key in ("rank", "raised")},
        "cases": cases,
    }


def main() -> int:
    """Play, listen or count."""
    parser = argparse.ArgumentParser(description="An outside tagger on the engine's prompts.")
    parser.add_argument("what", choices=("render", "tag", "embed", "figures"))
    parser.add_argument("path", type=Path, help="folder of clips, or the file of tags")
    parser.add_argument("--source", choices=("engine", "corpus"), default="engine")
    parser.add_argument("--seeds", type=int, default=0, metavar="SET", help="0, 1, 2, ...")
    parser.add_argument("--ceiling", type=Path, help="tags of the corpus' clips")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "render":
        render(arguments.path, arguments.source, arguments.seeds)
        return 0
    try:
        if arguments.out is None:
            raise ValueError("Say where the figures go with --out.")
        if arguments.what == "embed":
            embed(arguments.path, arguments.out)
            return 0
        if arguments.what == "tag":
            result: Figures = dict(tag(arguments.path))
        else:
            tags = json.loads(arguments.path.read_text("utf-8"))
            result = figures(tags)
            if arguments.ceiling is not None:  # of the same terms
                best: Tags = json.loads(arguments.ceiling.read_text("utf-8"))
                result["ceiling"] = figures({term: best[term] for term in best if term in tags})
        arguments.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
