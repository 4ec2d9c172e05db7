"""The arranger's promises, with an untrained network: they must hold whatever it has learned."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from models.engine.controls import Controls, as_style
from models.errors import SegueError
from models.music.score import (
    MODES,
    PARTS,
    PITCHED,
    STEM_OF_PART,
    FrameScore,
    chord_symbol,
    parse_key,
)
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.block_score import ArrangerInfo, chord_name
from models.segue.arranger.network import ArrangerConfig, RowFeatures
from models.segue.arranger.setting import SettingNet, SettingNoise, choose_setting
from models.segue.arranger.state import CHUNK, CHUNKS, Form, History, State, empty_row
from models.segue.arranger.step_targets import StepPosition
from models.segue.arranger.step_writer import advance, sources, step_place
from models.segue.arranger.steps import WIDTH, encode
from models.training.arranger import Arrangement, Styles, export, lag_codes, losses
from models.training.sets.arranger_data import collate, draw, draw_one, read_shard, write_shard
from tests.support.songs import random_song

STYLE = as_style(np.random.default_rng(1).normal(size=128) / 11.3)
OTHER = as_style(np.random.default_rng(2).normal(size=128) / 11.3)


@pytest.fixture(scope="module")
def module() -> Arrangement:
    torch.manual_seed(3)
    return Arrangement(ArrangerConfig(hidden=48, layers=1, content=16, head=24))


@pytest.fixture(scope="module")
def arranger(module: Arrangement) -> Arranger:
    return Arranger(module.step, module.setting, np.linspace(0, 14, 33).astype(np.float32))


def play(
    arranger: Arranger, state: State, controls: Controls, blocks: int
) -> tuple[FrameScore, State, list[ArrangerInfo]]:
    """Blocks joined."""
    scores, infos = [], []
    for _ in range(blocks):
        score, state, info = arranger.block(state, controls.style, controls)
        scores.append(score)
        infos.append(info)
    joined = [np.concatenate([getattr(s, f.name) for s in scores]) for f in fields(FrameScore)]
    return FrameScore(*joined), state, infos


def same(a: FrameScore, b: FrameScore) -> bool:
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name), equal_nan=True)
        for f in fields(FrameScore)
        if f.name not in ("instruments", "kit", "onset")
    ) and np.array_equal(a.onset, b.onset)


def test_the_same_seed_gives_the_same_music_and_another_does_not(arranger: Arranger) -> None:
    a, _, _ = play(arranger, arranger.start(5), Controls(style=STYLE), 20)
    b, _, _ = play(arranger, arranger.start(5), Controls(style=STYLE), 20)
    c, _, _ = play(arranger, arranger.start(6), Controls(style=STYLE), 20)
    assert same(a, b) and not same(a, c)


def test_a_moment_goes_on_bit_by_bit(arranger: Arranger) -> None:
    _, moment, _ = play(arranger, arranger.start(5), Controls(style=STYLE), 13)
    a, _, _ = play(arranger, moment, Controls(style=OTHER, bpm=130.0, notes=(60, 64)), 20)
    play(arranger, moment, Controls(style=STYLE, density=0.9), 20)
    b, _, _ = play(arranger, moment, Controls(style=OTHER, bpm=130.0, notes=(60, 64)), 20)
    assert same(a, b)


def test_blocks_of_any_length_give_the_same_score(arranger: Arranger) -> None:
    controls = Controls(style=STYLE, bpm=143.0)
    state = arranger.start(4)
    long, _, _ = arranger.block(state, STYLE, controls, 24)
    short, _, _ = play(arranger, state, controls, 4)
    assert same(long, short)


def test_the_asked_tempo_is_played(arranger: Arranger) -> None:
    state = arranger.start(1)
    _, state, _ = play(arranger, state, Controls(style=STYLE), 10)
    score, state, infos = play(arranger, state, Controls(style=STYLE, bpm=151.0), 40)
    assert score.tempo[-1] == pytest.approx(151.0)
    assert infos[-1].bpm == 151.0
    begin, end = infos[20], infos[-1]
    assert end.beats - begin.beats == pytest.approx(151 / 60 * 0.24 * 19, abs=0.6)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_a_tempo_of_some_strength_goes_part_of_the_way(arranger: Arranger, strength: float) -> None:
    _, state, _ = play(arranger, arranger.start(1), Controls(style=STYLE), 10)
    assert state.setting is not None
    own = state.setting.bpm
    controls = Controls(style=STYLE, bpm=own * 1.2, strength={"bpm": strength})
    _, _, infos = play(arranger, state, controls, 3)
    assert infos[-1].bpm == pytest.approx(own * 1.2**strength, rel=1e-3)


def test_held_keys_without_strength_are_left_aside(arranger: Arranger) -> None:
    _, state, _ = play(arranger, arranger.start(2), Controls(style=STYLE, bpm=120.0), 11)
    controls = Controls(style=STYLE, bpm=120.0, notes=(57, 60, 64), strength={"notes": 0.0})
    advised, _, _ = play(arranger, state, controls, 20)
    ordered, _, _ = play(arranger, state, controls.with_(strength={}), 20)
    assert {tuple(np.flatnonzero(c).tolist()) for c in ordered.chroma} == {(0, 4, 9)}
    assert {tuple(np.flatnonzero(c).tolist()) for c in advised.chroma} != {(0, 4, 9)}


def test_only_steps_that_sound_are_written(arranger: Arranger) -> None:
    state = arranger.start(1)
    for _ in range(30):
        _, state, _ = arranger.block(state, STYLE, Controls(style=STYLE, bpm=200.0))
        heard = state.frames * 0.04
        assert state.ticks[-1].start < heard <= state.clock.start + 1e-9


@pytest.mark.parametrize("stem", ["drums", "bass", "other"])
def test_muted_stems_are_silent_and_the_rest_goes_on(arranger: Arranger, stem: str) -> None:
    _, state, _ = play(arranger, arranger.start(9), Controls(style=STYLE), 30)
    free, _, _ = play(arranger, state, Controls(style=STYLE), 6)
    mute, _, _ = play(arranger, state, Controls(style=STYLE, mute=frozenset({stem})), 6)
    for index, part in enumerate(PARTS):
        quiet = STEM_OF_PART[part] == stem
        a = free.drums if part == "drums" else free.sustain[:, index - 1]
        b = mute.drums if part == "drums" else mute.sustain[:, index - 1]
        assert not b.any() if quiet else np.array_equal(a[:4], b[:4])
        assert not quiet or not mute.active[:, index].any()


def test_with_a_key_the_music_stays_near_its_scale(arranger: Arranger) -> None:
    controls = Controls(style=STYLE, key="E minor")
    _, state, _ = play(arranger, arranger.start(2), Controls(style=STYLE), 4)
    score, _, infos = play(arranger, state, controls, 60)
    tonic, mode = parse_key("E minor")
    classes = np.zeros(12)
    for row in range(88):
        classes[(row + 21) % 12] += score.onset[12:, :, row].astype(bool).sum()
    scale = [(tonic + s) % 12 for s in MODES[mode]]
    assert infos[-1].key == "E minor"
    assert classes[scale].sum() / classes.sum() > 0.8  # by chance it would be 0.58


def test_held_keys_are_the_harmony_at_once(arranger: Arranger) -> None:
    _, state, _ = play(arranger, arranger.start(2), Controls(style=STYLE, bpm=120.0), 11)
    controls = Controls(style=STYLE, bpm=120.0, notes=(57, 60, 64))
    score, state, infos = play(arranger, state, controls, 20)
    assert {tuple(np.flatnonzero(c).tolist()) for c in score.chroma} == {(0, 4, 9)}
    rows = np.flatnonzero(score.sustain.any(axis=(0, 1)))
    assert {(r + 21) % 12 for r in rows} <= {0, 4, 9}
    assert infos[-1].chord in ("Am", "C6")
    after, _, _ = play(arranger, state, Controls(style=STYLE, bpm=120.0), 60)
    assert len({tuple(np.flatnonzero(c)) for c in after.chroma}) > 1


def test_the_chord_part_strikes_when_keys_go_down(arranger: Arranger) -> None:
    _, state, _ = play(arranger, arranger.start(2), Controls(style=STYLE, bpm=120.0), 11)
    assert state.setting is not None and state.setting.instruments[1]
    score, _, _ = play(arranger, state, Controls(style=STYLE, bpm=120.0, notes=(57, 60, 64)), 1)
    assert score.onset[:, PITCHED.index("chords")].any()


def test_density_feedback_moves_what_is_written(arranger: Arranger) -> None:
    counts = []
    for density in (0.05, 0.35, 0.65, 0.95):
        controls = Controls(style=STYLE, density=density, bpm=120.0)
        _, state, _ = play(arranger, arranger.start(2), controls, 20)
        _, _, infos = play(arranger, state, controls, 60)
        counts.append(float(np.mean([info.density for info in infos])))
    assert counts == sorted(counts) and counts[-1] > 1.5 * counts[0]


def test_without_a_style_it_plays(arranger: Arranger) -> None:
    score, _, _ = play(arranger, arranger.start(2), Controls(), 20)
    assert score.sustain.any() or score.drums.any()


def test_clear_keeps_the_clock(arranger: Arranger) -> None:
    _, state, _ = play(arranger, arranger.start(2), Controls(style=STYLE), 20)
    fresh = arranger.start(3, state)
    score, after, _ = arranger.block(fresh, STYLE, Controls(style=STYLE))
    assert len(score) == 6 and after.frames == state.frames + 6 and after.history.length < 10


@pytest.mark.parametrize("blocks", [11, 14, 17, 20])
def test_after_a_clear_the_plan_is_made_at_the_next_beat(arranger: Arranger, blocks: int) -> None:
    controls = Controls(style=STYLE, bpm=60.0)
    _, state, _ = play(arranger, arranger.start(2), controls, blocks)
    fresh = arranger.start(3, state)
    seconds = 0.0
    while not fresh.plan.place:
        _, fresh, _ = arranger.block(fresh, STYLE, controls, 1)
        seconds += 0.04
    assert seconds <= 1.1, "a beat, where a bar lasts four seconds"


def test_weights_survive_the_file(module: Arrangement, tmp_path: Path) -> None:
    path = tmp_path / "arranger.safetensors"
    quantiles = np.linspace(0, 9, 5).astype(np.float32)
    export(module, module.state_dict(), quantiles, path)
    loaded = Arranger.load(path)
    score, _, _ = play(loaded, loaded.start(1), Controls(style=STYLE), 4)
    assert len(score) == 24 and loaded.quantiles[-1] == 9
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SegueError, match="cannot be read"):
        Arranger.load(path)


def test_playing_sees_what_training_shows(module: Arrangement) -> None:
    """Step by step, with history and form kept in the state, equals the batch in one pass."""
    net = module.step
    song = encode(random_song(3, bars=40))
    rng = np.random.default_rng(0)
    for _ in range(50):
        item = draw_one([song], rng, 640)
        if item["fresh"] and item["which"].sum() == 0:
            break
    else:
        pytest.fail("no whole song was drawn")
    batch = collate([item])
    condition = torch.zeros(1, 128)
    density = (0.0, 0.0)
    history, form, hidden = History(), Form(), None
    outputs = []
    with torch.no_grad():
        for step, row in enumerate(song.rows):
            if step % 16 == 0:
                if song.section_bar[step] == 0:
                    form = form.enter(int(song.section[step]), step)
                bar = int(song.section_bar[step])
                form = Form(form.section, form.start, bar, int(song.active[step]), form.heard)
            place = StepPosition(step, step % 16, step // 16, 0)
            moment = step_place(place, form, song.setting, density)
            attended_rows = sources(history, form, place, 16)
            _, output, hidden, _ = advance(
                net, hidden if hidden is not None else torch.zeros(1, 2, 48),
                condition.expand(2, -1), moment, history.get(step - 1), attended_rows,
            )  # fmt: skip
            outputs.append(output[0])
            history = history.append(np.append(row, song.active[step]).astype(np.uint8))
        moment = step_place(StepPosition(0, 0, 0, 0), Form(), song.setting, density)
        from models.segue.arranger.network import StepPlace
        from models.training.sets.arranger_data import bits

        whole = StepPlace(
            torch.from_numpy(batch.place), torch.from_numpy(batch.section),
            torch.from_numpy(batch.section_bar), torch.from_numpy(bits(batch.active)),
            torch.from_numpy(batch.change), torch.zeros(1, 640, 2),
        )  # fmt: skip
        _, expected, _ = net.advance(
            net.features(torch.from_numpy(batch.previous)),
            net.features(torch.from_numpy(batch.lags)),
            whole, condition[:, None].expand(1, 640, -1), None,
        )  # fmt: skip
    assert torch.allclose(torch.stack(outputs), expected[0], atol=1e-5)
    assert lag_codes(batch, batch.lags, batch.previous).shape == (1, 640, 5, 5)


def test_features_of_one_row_are_those_of_a_batch(module: Arrangement) -> None:
    rows = encode(random_song(4)).rows[:64]
    single = np.stack([RowFeatures().of(row) for row in rows])
    assert np.array_equal(module.step.features(torch.from_numpy(rows)).numpy(), single)
    assert not RowFeatures().of(None).any()


def test_training_learns_a_song(module: Arrangement) -> None:
    torch.manual_seed(0)
    own = Arrangement(ArrangerConfig(hidden=48, layers=1, content=16, head=24))
    songs = [encode(random_song(seed)) for seed in range(2)]
    styles = Styles(dict.fromkeys(("Accordion", "Ambient", "x"), STYLE))
    rng = np.random.default_rng(0)
    optimiser = torch.optim.Adam(own.parameters(), 1e-2)
    quantiles = np.linspace(0, 14, 33).astype(np.float32)
    seen = []
    for _ in range(25):
        parts = losses(own.step, draw(songs, rng, 4, 64), songs, styles, quantiles, rng)
        loss = torch.stack(list(parts.values())).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        seen.append(float(loss.detach()))
    assert np.mean(seen[-4:]) < 0.7 * np.mean(seen[:4])


def test_sequences_cross_into_other_songs() -> None:
    songs = [encode(random_song(seed)) for seed in range(3)]
    rng = np.random.default_rng(0)
    batch = draw(songs, rng, 64, 96)
    assert 0.1 < batch.which.any(axis=1).mean() < 0.7
    for index in np.flatnonzero(batch.which.any(axis=1)):
        first = int(batch.which[index].argmax())
        assert batch.change[index, first] == 0
        if first:  # the old song's last row is what was heard before
            assert (batch.previous[index, first] == batch.rows[index, first - 1]).all()


def test_shards_are_whole(tmp_path: Path) -> None:
    songs = [encode(random_song(seed)) for seed in range(3)]
    write_shard(songs, tmp_path / "songs-0.npz")
    for a, b in zip(songs, read_shard(tmp_path / "songs-0.npz"), strict=True):
        assert (a.rows == b.rows).all() and a.setting == b.setting and a.terms == b.terms


def test_history_forgets_the_oldest_and_shares_the_rest() -> None:
    history = History()
    for index in range(CHUNK * CHUNKS + 5):
        row = empty_row()
        row[0], row[1] = index % 256, index // 256
        history = history.append(row)
    assert history.get(0) is None and history.get(history.length) is None
    last = history.get(history.length - 1)
    assert last is not None and int(last[0]) + 256 * int(last[1]) == history.length - 1
    before = history
    after = history.append(empty_row())
    assert before.length == after.length - 1 and before.chunks[0] is after.chunks[0]


def test_form_returns_to_where_the_section_was_heard() -> None:
    form = Form().enter(0, 0).enter(1, 128).enter(0, 256)
    assert form.returns(256) == 0 and form.returns(300) == 44 and form.returns(256 + 128) == -1


def test_choices_move_only_when_the_odds_do() -> None:
    torch.manual_seed(0)
    net = SettingNet(8)
    a, b = np.eye(8, dtype=np.float32)[:2]
    noise = SettingNoise.of(3)
    kits = [
        choose_setting(net, ((1 - w) * a + w * b).astype(np.float32), noise).bpm
        for w in np.linspace(0, 1, 50)
    ]
    assert np.abs(np.diff(np.log(kits))).max() < 0.2
    assert choose_setting(net, a, noise) == choose_setting(net, a, noise)
    assert choose_setting(net, a, noise, mode=4).mode == 4


def test_chord_names() -> None:
    assert chord_name(chord_symbol(0, "min7"), 9) == "Am7"
    assert chord_name(chord_symbol(7, "maj"), 0) == "G"
    assert chord_name(-1, 0) == ""
    assert WIDTH == 25
