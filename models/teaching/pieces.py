"""Pieces of a course: files of one style, which the learned sound plays one after the other.

One style for a folder of unlike files lies between them, where none of them is. So each file keeps
its own; of many files those that are alike are taken together (Ward 1963, "Hierarchical grouping to
optimize an objective function").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.sounds import MAX_PIECES
from models.sounds.description import titles
from models.teaching.store import EncodedFile

SHORTEST: Final = 8.0
"""Seconds of music under which a file is no piece of its own."""


@dataclass(frozen=True, eq=False)
class TaughtPiece:
    """Files of one style.

    Attributes:
        files: one at least.
        style: (128,) mean of their minutes.

    """

    files: tuple[EncodedFile, ...]
    style: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        return sum(encoded.seconds for encoded in self.files)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(encoded.name for encoded in self.files)

    @property
    def mix(self) -> NDArray[np.float32]:
        """(k, 16) measures of its mix, as of `learned_mix.measures`."""
        return np.concatenate([encoded.mix for encoded in self.files])

    @property
    def contrasts(self) -> NDArray[np.float32]:
        """(k, 3) of its music, as of `segue.room.contrasts`."""
        return np.concatenate([encoded.contrasts for encoded in self.files])


def mean_style(files: Sequence[EncodedFile]) -> NDArray[np.float32]:
    """Style (128,) of all minutes of the files, each minute counted once."""
    return np.asarray(np.concatenate([each.styles for each in files]).mean(axis=0), np.float32)


def named(pieces: Sequence[TaughtPiece]) -> str:
    """A sentence that says which pieces there are."""
    names = titles([piece.names for piece in pieces])
    if len(pieces) == 1:
        return f"learned as one piece: {names}"
    return f"{len(pieces)} pieces, each with a style of its own: {names}"


def pieces_of(files: Sequence[EncodedFile], most: int = MAX_PIECES) -> tuple[TaughtPiece, ...]:
    """The pieces of files, in the order of their first file.

    Args:
        files: one at least.
        most: pieces that there may be; short files join the piece that they are nearest to.

    """
    groups = [[number] for number in range(len(files))]
    seconds = [encoded.seconds for encoded in files]
    styles = [mean_style([encoded]).astype(np.float64) for encoded in files]
    while len(groups) > 1 and (len(groups) > most or min(seconds) < SHORTEST):
        weights, centres = np.array(seconds), np.stack(styles)
        apart = np.square(centres[:, None] - centres[None]).sum(-1)
        cost = apart * weights[:, None] * weights / (weights[:, None] + weights)
        cost[np.diag_indices(len(groups))] = np.inf
        if len(groups) <= most:
            cost[np.arange(len(groups)) != int(weights.argmin())] = np.inf
        one, other = sorted(int(place) for place in np.unravel_index(cost.argmin(), cost.shape))
        both = weights[one] + weights[other]
        styles[one] = (weights[one] * centres[one] + weights[other] * centres[other]) / both
        seconds[one] = float(both)
        groups[one] = sorted(groups[one] + groups[other])
        for row in (groups, seconds, styles):
            del row[other]
    chosen = (tuple(files[number] for number in group) for group in sorted(groups))
    return tuple(TaughtPiece(group, mean_style(group)) for group in chosen)
