"""Parts that dream and parts that do not: the split of a block, and a stream that does it."""

from __future__ import annotations

import numpy as np
import pytest

from models.engine.controls import Controls
from models.music.score import PARTS
from models.segue.dream.balance import BalanceState, crossfade_share
from models.segue.dream.split import SplitState, dreaming_share
from models.segue.engine import AWAKE, SegueEngine, SegueStream
from models.segue.studio.block import BLOCK

DRUMS = ("drums",)
OTHERS = tuple(part for part in PARTS if part != "drums")


@pytest.fixture(scope="module")
def controls(engine: SegueEngine) -> Controls:
    return Controls(style=engine.embed_text("driving techno"), bpm=122.0, energy=1.0)


def decibels(sound: np.ndarray, of: np.ndarray) -> float:
    return float(10 * np.log10(np.square(sound).sum() / np.square(of).sum()))


def test_the_shares_sum_to_the_mix_and_come_and_go_without_a_step(
    engine: SegueEngine, controls: Controls
) -> None:
    stream = engine.start(7)
    assert isinstance(stream, SegueStream)
    states: dict[tuple[str, ...], SplitState | None] = {DRUMS: SplitState(), OTHERS: SplitState()}
    shares: dict[tuple[str, ...], list[np.ndarray]] = {DRUMS: [], OTHERS: []}
    mixes = []
    for number in range(44):
        mix = stream.render(controls).T
        if number < 12:
            continue
        mixes.append(mix)
        stems = [stream.stems[part].T for part in PARTS]
        for parts, state in states.items():
            last = number == 43
            dreaming = [last or part in parts for part in PARTS]
            master = stream.state.studio.master
            share, states[parts] = dreaming_share(
                mix, stems, dreaming, master, state or SplitState()
            )
            shares[parts].append(share)
            assert (states[parts] is None) == last
    whole = np.concatenate(mixes, axis=1)
    drums, others = (np.concatenate(shares[parts], axis=1) for parts in (DRUMS, OTHERS))
    inner = slice(2 * BLOCK, -2 * BLOCK)
    assert decibels((whole - drums - others)[:, inner], whole[:, inner]) < -20.0
    assert -15.0 < decibels(drums[:, inner], whole[:, inner]) < -1.0
    for share in (drums, others):
        assert np.array_equal(share[:, 0], whole[:, 0])
        assert np.allclose(share[:, -1], whole[:, -1], atol=1e-3)


def test_what_does_not_dream_is_added_behind() -> None:
    rng = np.random.default_rng(2)
    guide, rest, wet = (0.1 * rng.standard_normal((BLOCK, 2)).astype(np.float32) for _ in "abc")
    mix, state = guide + rest, BalanceState()
    audio, state = crossfade_share(mix, guide, wet, 0.0, state)
    assert audio is mix
    for _ in range(2):
        audio, state = crossfade_share(mix, guide, wet, np.pi / 2, state)
    made = audio - rest
    assert np.abs(np.corrcoef(made.ravel(), wet.ravel())[0, 1]) > 0.99
    assert decibels(made, guide) == pytest.approx(0.0, abs=0.5)


def test_a_stream_keeps_its_dry_parts_and_its_snapshots_are_whole(
    engine: SegueEngine, controls: Controls
) -> None:
    plain, stream = engine.start(7), engine.start(7)
    dry = controls.with_(dream=1.0, parts={part: {"dry": True} for part in PARTS})
    heard, studio = [], []
    for _ in range(14):
        heard.append(stream.render(dry))
        studio.append(plain.render(controls))
    assert np.allclose(np.concatenate(heard[2:]), np.concatenate(studio[2:]), atol=0.02)
    drums = controls.with_(dream=1.0, parts={"drums": {"dry": True}})
    for _ in range(AWAKE + 2):
        stream.render(drums)
        plain.render(controls)
    snapshot = stream.snapshot()
    first = [stream.render(drums) for _ in range(4)]
    assert not np.allclose(first[-1], plain.render(controls), atol=0.02)
    stream.restore(engine.unpack(engine.pack(snapshot)))
    for block in first:
        assert np.array_equal(stream.render(drums), block)
