"""What arranger and studio take on of the pieces: their idioms and mixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.segue.arranger.idiom.counts import total
from models.segue.arranger.idiom.idiom import MOST, Idiom, idiom_of, learned_idiom
from models.segue.codec.bands import analyse, scaled
from models.segue.learned_mix import (
    STUDIO,
    MixChange,
    change_towards,
    measures,
    mix_change_of,
    piece_changes,
)
from models.segue.room import contrasts_in_rooms, nearest_rooms
from models.sounds.file import PIECE
from models.teaching.counting import counts_of
from models.teaching.listener import Listener
from models.teaching.own_playing import own_playing
from models.teaching.pieces import TaughtPiece

STREAMS: Final = 3
"""Streams of the studio that are heard at least, in all; of each piece, one."""

Tensors = Mapping[str, NDArray[np.generic]]


class Taken(NamedTuple):
    """Tensors for the file of a sound: of the whole, and of each piece."""

    whole: Tensors
    pieces: tuple[Tensors, ...]

    def with_mixes(self, whole: MixChange, pieces: Sequence[MixChange], player: str) -> Taken:
        """With changes of the mix of a player."""
        own = (
            {**one, **change.tensors(player)}
            for one, change in zip(self.pieces, pieces, strict=True)
        )
        return Taken({**self.whole, **whole.tensors(player)}, tuple(own))


def learn_taken(
    pieces: Sequence[TaughtPiece],
    weights: Path,
    listener: Listener,
    going: Callable[[float], bool],
) -> Taken | None:
    """What arranger and studio take on of pieces, after hearing what they play of themselves in the
    style of each.

    Args:
        pieces: one at least.
        weights: Folder of the base weights.
        listener: That hears the player's files too.
        going: Asked between parts of the work, with the share of it that is done, whether to go on.

    Returns:
        None where it was not to go on.

    """
    each = -(-STREAMS // len(pieces))
    own = own_playing(weights, listener, [piece.style for piece in pieces], each, going)
    if own is None:
        return None
    heard = [
        total(counts_of(study.heard) for encoded in piece.files for study in encoded.studies)
        for piece in pieces
    ]
    # A stream or two hardly tell what is usual in a style; those of all count with them.
    usual = total(one.counts for one in own)
    whole = learned_idiom(total(heard), usual)
    idioms = [
        learned_idiom(counts, one.counts + usual) for counts, one in zip(heard, own, strict=True)
    ]
    taken = Taken(whole.tensors(), tuple(_as_busy(one, whole).tensors() for one in idioms))
    return taken.with_mixes(*mixes_of(pieces, [one.mix for one in own]), STUDIO)


def _as_busy(idiom: Idiom, whole: Idiom) -> Idiom:
    """The idiom of a piece, with as many onsets as in the whole: how many are heard depends on the
    sounds more than on how busy it is, which evens out over pieces only.
    """
    onsets = idiom.onsets - idiom.onsets.mean() + whole.onsets.mean()
    return replace(idiom, onsets=np.clip(onsets, -MOST, MOST))


def mixes_of(
    pieces: Sequence[TaughtPiece], own: Sequence[NDArray[np.float32]]
) -> tuple[MixChange, list[MixChange]]:
    """What is lacking of the mix of all pieces, and of that of each.

    Args:
        pieces: one at least.
        own: (m, 16) measures of what is played in place of each.

    """
    music = [piece.mix for piece in pieces]
    whole = change_towards(np.concatenate(music), np.concatenate(own))
    return whole, piece_changes(music, own)


class OwnStream(NamedTuple):
    """What a stream plays of itself: mean (1, 16) of its measures, (0, 16) where it rests, and its
    bands (T, 320).
    """

    mix: NDArray[np.float32]
    bands: NDArray[np.float32]


def stream_of(audio: NDArray[np.float32]) -> OwnStream:
    """The stream of audio (n, 2) at 48 kHz."""
    rows = measures(audio)
    mean = rows.mean(axis=0, keepdims=True) if len(rows) else rows
    return OwnStream(mean, analyse(audio)[0])


def played_mixes(
    pieces: Sequence[TaughtPiece], own: Sequence[Sequence[OwnStream]]
) -> tuple[MixChange, list[MixChange]]:
    """As `mixes_of` of streams that are played in place of each piece, with rooms, in which they
    are heard after the equaliser.
    """
    whole, each = mixes_of(pieces, [np.concatenate([one.mix for one in row]) for row in own])
    tried = [
        np.concatenate([contrasts_in_rooms(scaled(one.bands, change.gains)) for one in row])
        for row, change in zip(own, each, strict=True)
    ]
    room, rooms = nearest_rooms([piece.contrasts for piece in pieces], tried)
    return replace(whole, room=room), [
        replace(change, room=one) for change, one in zip(each, rooms, strict=True)
    ]


def write_taken(taken: Taken, path: Path, source: str) -> None:
    """Write what was taken on, whole or not at all. OSError where there is no room."""
    tensors = dict(taken.whole)
    for number, own in enumerate(taken.pieces):
        tensors |= {f"{PIECE}{number}.{name}": each for name, each in own.items()}
    partial = path.with_suffix(".partial")
    header = {"source": source, "pieces": str(len(taken.pieces))}
    try:
        save_file(tensors, partial, metadata=header)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    partial.replace(path)


def read_taken(path: Path, source: str) -> Taken | None:
    """What was taken on of a source; None where it is missing, damaged or of another source."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            if header["source"] != source:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        starts = [f"{PIECE}{number}." for number in range(int(header["pieces"]))]
    except (SafetensorError, OSError, KeyError, ValueError):
        return None
    whole = {name: each for name, each in tensors.items() if not name.startswith(PIECE)}
    own = [
        {n.removeprefix(start): each for n, each in tensors.items() if n.startswith(start)}
        for start in starts
    ]
    sound = all(idiom_of(x) is not None and mix_change_of(x, STUDIO) for x in (whole, *own))
    return Taken(whole, tuple(own)) if sound else None
