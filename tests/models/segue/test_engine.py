"""Embedded engine with the shipped weights: the contract of the interface."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models.engine.controls import Controls
from models.engine.hearing import PlayedSound
from models.engine.interface import Engine, blend, block_fault
from models.errors import SegueError
from models.evaluation.memory import leak_db, marked
from models.segue.arranger.conditions import GUIDANCE
from models.segue.arranger.idiom.sounds import SoundIdioms
from models.segue.diffusion_engine import WEIGHTS, DiffusionEngine, guidance_weight
from models.segue.learned_mix import RENDERER, LearnedMixes, MixChange
from models.segue.learned_pieces import LearnedPieces
from models.segue.renderer.adaptation import RendererMixes
from models.segue.renderer.features import no_age, score_batch
from models.segue.renderer.inference import KeyValueCache
from models.segue.renderer.loading import load_renderer
from models.segue.renderer.network import FRAMES_PER_BLOCK
from models.segue.renderer.sampler import GuidanceInput, Sampler
from models.segue.room import Room
from models.sounds.file import LearnedSound, SoundPiece
from models.sounds.library import SoundLibrary, base_checksum

BLOCK = 11_520


@pytest.fixture(scope="module")
def engine() -> Engine:
    return DiffusionEngine("cpu")


def blocks(engine: Engine, controls: Controls, count: int, seed: int = 3) -> np.ndarray:
    stream = engine.start(seed)
    return np.concatenate([stream.render(controls) for _ in range(count)])


def test_blocks_are_what_the_interface_says(engine: Engine) -> None:
    stream = engine.start(1)
    for _ in range(4):
        assert block_fault(stream.render(Controls()), engine.info) is None
    assert engine.info.block_frames == 11520
    assert engine.info.context_seconds >= 8


def test_the_same_seed_gives_the_same_music(engine: Engine) -> None:
    controls = Controls(style=engine.embed_text("minimal techno"), bpm=124.0)
    first = blocks(engine, controls, 8)
    assert np.array_equal(first, blocks(engine, controls, 8))
    assert not np.array_equal(first, blocks(engine, controls, 8, seed=4))
    assert 0.01 < np.abs(first).max() < 1.0


def test_a_restored_stream_gives_bit_identical_blocks(engine: Engine) -> None:
    controls = Controls(style=engine.embed_text("piano ballad"))
    stream = engine.start(5)
    for _ in range(5):
        stream.render(controls)
    moment = stream.snapshot()
    ahead = [stream.render(controls) for _ in range(5)]
    stream.render(controls.with_(bpm=170.0, mute=frozenset({"drums"})))
    stream.restore(moment)
    for block in ahead:
        assert np.array_equal(block, stream.render(controls))
    other = engine.start(99)
    other.restore(moment)
    assert np.array_equal(ahead[0], other.render(controls))


def test_clear_forgets_without_a_click(engine: Engine) -> None:
    controls = Controls(style=engine.embed_text("orchestral score"))
    stream = engine.start(7)
    before = np.concatenate([stream.render(controls) for _ in range(12)])
    stream.clear()
    after = np.concatenate([stream.render(controls) for _ in range(4)])
    seam = np.abs(after[0] - before[-1]).max()
    usual = np.quantile(np.abs(np.diff(before[-48000:], axis=0)), 0.999)
    assert seam <= max(usual, 0.02)


def test_a_held_chord_and_a_key_reach_the_score(engine: Engine) -> None:
    stream = engine.start(2)
    style = engine.embed_text("synthpop")
    stream.render(Controls(style=style, key="D minor"))
    assert stream.score is not None
    assert stream.score.key == "D minor"


def test_a_style_of_another_engine_is_refused(engine: Engine) -> None:
    stream = engine.start(0)
    moment = stream.snapshot()
    with pytest.raises(SegueError, match="style"):
        stream.render(Controls(style=np.ones(7, np.float32)))
    assert stream.snapshot() is moment


def test_a_moment_of_another_engine_is_refused(engine: Engine) -> None:
    with pytest.raises(SegueError, match="moment"):
        engine.start(0).restore(object())


@pytest.mark.parametrize("name", ["codec", "renderer", "arranger"])
def test_damaged_weights_are_told_in_a_sentence(name: str, tmp_path: Path) -> None:
    for file in WEIGHTS.iterdir():
        if file.suffix == ".safetensors":
            (tmp_path / file.name).symlink_to(file)
    damaged = tmp_path / f"{name}.safetensors"
    damaged.unlink()
    with pytest.raises(SegueError):
        DiffusionEngine("cpu", tmp_path)
    shutil.copy(WEIGHTS / f"{name}.safetensors", damaged)
    with damaged.open("r+b") as half:
        half.truncate(damaged.stat().st_size // 2)
    with pytest.raises(SegueError):
        DiffusionEngine("cpu", tmp_path)


@pytest.mark.parametrize(
    ("taught", "control", "weight"),
    [
        (None, 3.0, 1.0),
        (GuidanceInput(1.0, 1.5, 3.0), None, 1.5),
        (GuidanceInput(1.0, 1.5, 3.0), GUIDANCE, 1.5),
        (GuidanceInput(1.0, 1.5, 3.0), -1.0, 1.0),
        (GuidanceInput(1.0, 1.5, 3.0), 0.0, 1.0),
        (GuidanceInput(1.0, 1.5, 3.0), 3.0, 3.0),
        (GuidanceInput(1.0, 1.5, 3.0), 7.0, 3.0),
    ],
)
def test_the_guidance_control_in_the_network_s_own_weights(
    taught: GuidanceInput | None, control: float | None, weight: float
) -> None:
    assert guidance_weight(Sampler(guidance=taught), control) == pytest.approx(weight)


def test_guidance_moves_the_sound_of_the_same_score(engine: Engine) -> None:
    assert isinstance(engine, DiffusionEngine)
    assert engine.renderer.sampler.guidance is not None, "the weights that ship were taught it"
    prompt = engine.embed_text("flamenco guitar")
    state = engine.arranger.start(1)
    score, _, _ = engine.arranger.block(state, prompt, Controls(), 6 * FRAMES_PER_BLOCK)
    batch, style = score_batch(score, no_age())[0], torch.from_numpy(prompt.copy())
    found = {}
    for control in (None, 0.0, GUIDANCE, 3.0):
        weight = guidance_weight(engine.renderer.sampler, control)
        generator, cache, latents = torch.Generator().manual_seed(1), KeyValueCache(), []
        for block in range(6):
            span = slice(block * FRAMES_PER_BLOCK, (block + 1) * FRAMES_PER_BLOCK)
            noise = torch.randn(3, 2 * engine.codec.latent_dim, generator=generator)
            new, cache = engine.renderer.block(cache, batch[span], style, noise, weight)
            latents.append(new)
        found[control] = torch.cat(latents)
    assert torch.equal(found[None], found[GUIDANCE])
    apart = (found[0.0] - found[3.0]).square().mean().sqrt()
    assert apart > 0.02, "latents have unit variance, and rounding makes differences of 1e-6"


@pytest.mark.parametrize(("share", "kept"), [(0.0, True), (0.2, True), (1.0, False)])
def test_a_leap_to_another_prompt_drops_the_sound_s_context(
    engine: Engine, share: float, kept: bool
) -> None:
    """Small changes of the style keep the context; another prompt drops it."""
    styles = [engine.embed_text("solo cello"), engine.embed_text("techno")]
    stream = engine.start(4)
    for _ in range(4):
        stream.render(Controls(style=styles[0]))
    before = len(stream.state.cache.blocks)  # type: ignore[attr-defined]
    stream.render(Controls(style=blend(styles, [1.0 - share, share])))
    after = len(stream.state.cache.blocks)  # type: ignore[attr-defined]
    assert after == (before + 1 if kept else 0)


def test_what_is_played_in_is_in_the_context_and_not_in_the_sound(engine: Engine) -> None:
    count, at = 12, np.arange(12 * BLOCK) / 48_000
    line = (0.3 * np.sin(2 * np.pi * 330 * at) * np.exp(-6 * (at % 0.25))).astype(np.float32)
    sound, noise = marked(np.repeat(line[:, None], 2, axis=1))

    def played(memory: float, mode: str = "free") -> np.ndarray:
        stream, input_ = engine.start(3), PlayedSound(sound)
        controls = Controls(bpm=120.0, memory=memory, memory_mode=mode, loop_bars=1)
        made = []
        for number in range(count):
            stream.hear(input_.at(number * BLOCK))
            if number == count // 2:  # what is remembered is in the snapshot
                packed = engine.pack(stream.snapshot())
                assert packed is not None
                stream.restore(engine.unpack(packed))
            made.append(stream.render(controls))
        return np.concatenate(made)

    free, again = played(1.0), played(1.0)
    assert np.array_equal(free, again)
    closed = played(0.0)
    # The context changes as soon as a block has been played in and finished.
    assert np.array_equal(free[: 2 * BLOCK], closed[: 2 * BLOCK])
    assert not np.array_equal(free[3 * BLOCK : 4 * BLOCK], closed[3 * BLOCK : 4 * BLOCK])
    # Of so short a sound, noise that was never played in is found as well as that.
    other = np.random.default_rng(5).permutation(noise)
    assert leak_db(noise, free) < leak_db(other, free) + 2.0
    assert leak_db(noise, free + 0.03 * np.std(free) / np.std(noise) * noise) > -34.0


def test_a_learned_sound_comes_and_goes_at_a_block(engine: Engine, tmp_path: Path) -> None:
    assert isinstance(engine, DiffusionEngine)
    library = SoundLibrary(tmp_path)
    rng = np.random.default_rng(0)
    changes = {
        "layers.2.gate_up.up": (0.2 * rng.standard_normal((2048, 4))).astype(np.float16),
        "layers.2.gate_up.down": (0.2 * rng.standard_normal((4, 384))).astype(np.float16),
    }
    room = Room(0.5, 2.0)
    mix = MixChange(np.full(15, -6.0, np.float32), 3.0, room).tensors(RENDERER)
    style = engine.embed_text("warm pads")
    library.add(LearnedSound("pads", base_checksum(), style, {**changes, **mix}))
    path = engine.weights / "renderer.safetensors"
    kept, engine.sounds = engine.sounds, library
    mixes, engine.mixes = (
        engine.mixes,
        RendererMixes(lambda: load_renderer(path), engine.renderer, library),
    )
    own, engine.arranger._idioms = engine.arranger._idioms, SoundIdioms(library)
    own_mixes, engine.learned_mixes = engine.learned_mixes, LearnedMixes(library, RENDERER)
    pieces, engine.pieces = engine.pieces, LearnedPieces(library)
    try:
        assert np.array_equal(engine.embed_text("sound:Pads"), style)
        plain = Controls(style=style)
        with_sound = plain.with_(sounds={"pads": 1.0})
        stream = engine.start(3)
        before = [stream.render(plain) for _ in range(2)]
        place = stream.snapshot()
        after = [stream.render(with_sound) for _ in range(2)]
        ringing = stream.snapshot()
        stream.restore(engine.unpack(engine.pack(ringing)))
        assert np.array_equal(stream.snapshot().tail, ringing.tail)  # type: ignore[attr-defined]
        stream.restore(place)
        again = [stream.render(with_sound) for _ in range(2)]
        stream.restore(place)
        none = [stream.render(plain.with_(sounds={"pads": 0.0})) for _ in range(2)]
        assert np.array_equal(after, again)
        assert np.array_equal(np.concatenate([*before, *none]), blocks(engine, plain, 4))
        assert not np.allclose(after[1], none[1], atol=1e-3)
        # No step at the seam that is larger than those around it.
        sound = np.concatenate([*before, *after])[:, 0]
        steps = np.abs(np.diff(sound))
        seam = 2 * engine.info.block_frames
        assert steps[seam - 2 : seam + 2].max() <= steps[seam - 4800 : seam + 4800].max()
        with pytest.raises(SegueError, match="no learned sound"):
            stream.render(plain.with_(sounds={"other": 1.0}))
    finally:
        engine.sounds, engine.mixes, engine.arranger._idioms = kept, mixes, own
        engine.learned_mixes, engine.pieces = own_mixes, pieces


def test_a_sound_with_pieces_plays_one_of_them_and_comes_back_to_it(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(engine, DiffusionEngine)
    library = SoundLibrary(tmp_path)
    styles = [engine.embed_text(text) for text in ("warm pads", "techno")]
    pieces = tuple(
        SoundPiece((f"{number}.wav",), 60.0, style) for number, style in enumerate(styles)
    )
    middle = np.asarray(np.mean(styles, axis=0), np.float32)
    library.add(LearnedSound("mine", base_checksum(), middle, pieces=pieces))
    mixes = RendererMixes(lambda: load_renderer(WEIGHTS / "renderer.safetensors"),
                          engine.renderer, library)  # fmt: skip
    for name, value in (
        ("sounds", library),
        ("mixes", mixes),
        ("pieces", LearnedPieces(library)),
        ("learned_mixes", LearnedMixes(library, RENDERER)),
    ):
        monkeypatch.setattr(engine, name, value)
    monkeypatch.setattr(engine.arranger, "_idioms", SoundIdioms(library))
    controls, heard = Controls(style=middle, sounds={"mine": 1.0}), set()
    for seed in range(3, 6):
        stream = engine.start(seed)
        first = stream.render(controls)
        played = stream.snapshot().style  # type: ignore[attr-defined]
        (number,) = (n for n, style in enumerate(styles) if np.array_equal(style, played))
        heard.add(number)
        alone = engine.start(seed).render(Controls(style=styles[number]))
        assert np.array_equal(first, alone)  # nothing but the style was learned here
    assert heard == {0, 1}
    place = stream.snapshot()
    after = stream.render(controls)
    stream.clear()
    stream.render(controls)
    stream.restore(place)
    assert np.array_equal(stream.render(controls), after)
    off = blocks(engine, controls.with_(sounds={"mine": 0.0}), 2)
    assert np.array_equal(off, blocks(engine, Controls(style=middle), 2))
