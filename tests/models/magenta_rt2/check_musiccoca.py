"""Comparison of the released MusicCoCa with its published tokens, and with LiteRT.

Run by hand from the repository's root, with the released files:

    python -m tests.models.magenta_rt2.check_musiccoca [FOLDER]

FOLDER: of an engine, by default that of `models fetch magenta-rt2-small`. Prints for four texts,
with and without the mapper, how many of the twelve tokens are those that the reference's own tests
expect (`tests/test_musiccoca.py`, magenta-rt 2.0.3, Apache-2.0); and, where LiteRT is installed,
the largest difference of each network's output to LiteRT's, relative to the largest number in it.
The exit code is 1 where a token or more than 1e-4 of an output differs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.magenta_rt2.checkpoint.files import MUSICCOCA, folder_of
from models.magenta_rt2.musiccoca.model import MusicCoCa
from models.magenta_rt2.musiccoca.style_network import LitertNetwork
from models.magenta_rt2.tflite.network import TfliteNetwork

NAME: Final = "magenta-rt2-small"
BAR: Final = 1e-4
PLAIN: Final = {
    "a jazz piano trio": (555, 402, 72, 993, 482, 932, 402, 153, 33, 374, 519, 147),
    "heavy metal guitar riff": (322, 825, 598, 131, 826, 656, 592, 759, 89, 410, 778, 642),
    "ambient electronic": (796, 540, 12, 691, 843, 202, 225, 516, 324, 836, 41, 574),
    "disco funk": (660, 597, 668, 315, 857, 217, 930, 175, 655, 343, 534, 137),
}
MAPPED: Final = {
    "a jazz piano trio": (555, 333, 237, 468, 451, 244, 82, 624, 719, 466, 168, 601),
    "heavy metal guitar riff": (270, 797, 578, 144, 653, 254, 942, 760, 89, 390, 437, 303),
    "ambient electronic": (369, 867, 202, 38, 413, 255, 213, 905, 340, 893, 300, 725),
    "disco funk": (660, 1016, 208, 530, 589, 702, 376, 54, 203, 444, 36, 246),
}


def check_tokens(folder: Path) -> bool:
    """Print how many tokens are the published ones; whether all are."""
    model = MusicCoCa(NAME, folder)
    right = True
    for use_mapper, published in ((False, PLAIN), (True, MAPPED)):
        for text, tokens in published.items():
            found = model.tokenize(model.embed_text(text, use_mapper=use_mapper, seed=0))
            same = int((found == np.array(tokens)).sum())
            right &= same == len(tokens)
            print(f"{text}{' (mapper)' if use_mapper else ''}: {same} of {len(tokens)} tokens")
    return right


def check_network(path: Path) -> bool:
    """Print how far a network's outputs are from LiteRT's; whether they are near enough."""
    network, random = TfliteNetwork(path), np.random.default_rng(1)
    inputs: list[NDArray[np.generic]] = []
    for info in network.inputs:
        if np.issubdtype(info.type, np.integer):
            inputs.append(random.integers(1, 1000, info.shape).astype(info.type))
        else:
            scale = 0.0 if info.shape == (1, 128) else 0.1  # paddings: every word counts
            inputs.append((scale * random.standard_normal(info.shape)).astype(info.type))
    mine = network.run(inputs)[0].astype(np.float64)
    theirs = LitertNetwork(path).run(inputs)[0].astype(np.float64)
    error = float(np.abs(mine - theirs).max() / np.abs(theirs).max())
    print(f"{path.name}: {error:.1e} from LiteRT")
    return error <= BAR


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else folder_of(NAME)
    right = check_tokens(folder)
    try:
        import ai_edge_litert  # noqa: F401
    except ImportError:
        print("LiteRT is not installed: its results were not compared")
        return 0 if right else 1
    for path in sorted((folder / MUSICCOCA).glob("*.tflite")):
        right &= check_network(path)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
