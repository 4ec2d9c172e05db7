"""Magenta RealTime 2 as an engine: the contract, its controls, snapshots, and the silence watch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.engine.controls import Controls
from models.engine.interface import block_fault
from models.engine.loudness import LevelState, normalise_loudness
from models.errors import SegueError
from models.magenta_rt2 import engine as engine_module
from models.magenta_rt2.block_generator import BlockGenerator
from models.magenta_rt2.checkpoint import files
from models.magenta_rt2.checkpoint.random_weights import write
from models.magenta_rt2.conditioning import condition_tokens, guidance_token
from models.magenta_rt2.depthformer import cuda_graphs
from models.magenta_rt2.depthformer.config import (
    CONDITION_OFFSET,
    SIZES,
    DepthformerConfig,
    ModelSpec,
)
from models.magenta_rt2.depthformer.stepper import FrameStepper
from models.magenta_rt2.engine import MagentaEngine, MagentaStream, StreamState
from models.magenta_rt2.silence_watch import (
    CLEAR_SECONDS,
    REST_SECONDS,
    SAFE_GUIDANCE,
    SilenceWatch,
)
from models.magenta_rt2.spectrostream.codec import SpectroStreamConfig
from models.registry import engine_names, open_engine
from tests.benchmarks.magenta import cuda as measure_cuda

TINY = DepthformerConfig(
    "magenta-rt2-small",
    16,
    ModelSpec(2, 32, 64, 2, 16),
    ModelSpec(1, 24, 48, 3, 8),
    max_past_horizon=5,
)
CLUSTER = tuple(range(20, 110))
"""Held keys that a network of random weights cannot overhear."""
CODEC = SpectroStreamConfig(encoder_base_depth=4, decoder_base_depth=4, features=16, levels=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    write(place, "small", config=TINY, codec=CODEC)
    return place


@pytest.fixture(scope="module")
def engine(folder: Path) -> MagentaEngine:
    return MagentaEngine("small", "cpu", folder, "float32", config=TINY, codec=CODEC)


@pytest.fixture
def stream(engine: MagentaEngine) -> MagentaStream:
    return engine.start(seed=5)


def play(stream: MagentaStream, count: int, controls: Controls | None = None) -> np.ndarray:
    return np.concatenate([stream.render(controls or Controls()) for _ in range(count)])


def test_blocks_are_sound(engine: MagentaEngine, stream: MagentaStream) -> None:
    for _ in range(4):
        block = stream.render(Controls(style=engine.embed_text("minimal techno")))
        assert block_fault(block, engine.info) is None
    assert block.std() > 0.001 and np.abs(block).max() <= 1.0


def test_seeds(engine: MagentaEngine) -> None:
    one, same, other = (play(engine.start(seed), 3) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_missing_mapper_is_said_once(
    engine: MagentaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.embed_text("flute")
    assert engine.notices() == ()
    monkeypatch.setattr(type(engine.styles.model), "has_mapper", False)
    engine.embed_text("flute"), engine.embed_text("drums")
    ((level, sentence),) = engine.notices()
    assert level == "info" and "run" in sentence and "models fetch magenta-rt2-small" in sentence
    assert engine.notices() == ()


def test_streams_take_turns(engine: MagentaEngine) -> None:
    """They share one stepper, without influence on each other."""
    alone = play(engine.start(1), 4)
    one, two = engine.start(1), engine.start(2)
    turns = []
    for _ in range(4):
        turns.append(one.render(Controls()))
        two.render(Controls(chaos=1.0))
    assert np.array_equal(np.concatenate(turns), alone)


def test_snapshots_are_bit_identical(engine: MagentaEngine, stream: MagentaStream) -> None:
    play(stream, 5)
    snapshot = stream.snapshot()
    first = play(stream, 4)
    for _ in range(2):
        stream.restore(snapshot)
        assert np.array_equal(play(stream, 4), first)
    other = engine.start(seed=99)
    other.restore(snapshot)
    assert np.array_equal(play(other, 4), first)


def test_a_snapshot_of_every_block_adds_only_what_is_new(stream: MagentaStream) -> None:
    play(stream, 4)

    def reached() -> dict[int, int]:
        state = stream.snapshot()
        assert isinstance(state, StreamState)
        tensors = [entry.columns for entry in state.context.entries]
        return {tensor.data_ptr(): tensor.nbytes for tensor in tensors}

    before = reached()
    stream.render(Controls())
    new = [size for place, size in reached().items() if place not in before]
    columns = (
        TINY.temporal.num_layers * 4 * TINY.temporal.num_heads * TINY.temporal.dim_per_head * 4
    )
    assert sum(new) == columns * engine_module.FRAMES_PER_BLOCK


def test_a_foreign_snapshot_and_a_foreign_style(stream: MagentaStream) -> None:
    with pytest.raises(SegueError, match="another engine"):
        stream.restore(object())
    before = stream.snapshot()
    with pytest.raises(SegueError, match="embed the prompt with this engine"):
        stream.render(Controls(style=np.ones(128, np.float32)))
    assert stream.snapshot() is before


def test_clear_forgets_but_does_not_cut(stream: MagentaStream) -> None:
    play(stream, 3)
    codec = stream.state.codec
    stream.clear()
    assert stream.state.context.entries == ()
    assert stream.state.codec is codec
    first = play(stream, 2)
    stream.clear()
    assert not np.array_equal(play(stream, 2), first)  # afresh, not the same again


def test_every_listed_control_acts(engine: MagentaEngine) -> None:
    settings = {
        "style": Controls(style=engine.embed_text("flute")),
        "notes": Controls(notes=(60, 64)),
        "drums": Controls(drums=False),
        "guidance": Controls(guidance=6.0),
        "guidance_notes": Controls(guidance_notes=5.0),
        "guidance_drums": Controls(guidance_drums=5.0),
        "chaos": Controls(chaos=0.9),
        "temperature": Controls(temperature=2.0),
        "top_k": Controls(top_k=3),
        "note_width": Controls(note_width=127),
        "strikes": Controls(strikes=CLUSTER),
        "note_onsets": Controls(notes=CLUSTER, note_onsets="strike"),
        "next_beat": Controls(notes=CLUSTER, next_beat=0.08),
    }
    assert set(settings) == engine.info.controls - {"memory"}  # see test_injection.py
    held = play(engine.start(4), 4, Controls(notes=CLUSTER))
    for name in ("note_onsets", "next_beat"):
        assert not np.array_equal(held, play(engine.start(4), 4, settings[name])), name
    plain = play(engine.start(4), 4)
    for name, controls in settings.items():
        assert not np.array_equal(play(engine.start(4), 4, controls), plain), name


def test_a_strike_belongs_to_its_block(engine: MagentaEngine) -> None:
    """However often the plan is rewritten: what was held is part of the snapshot."""
    keys = Controls(notes=CLUSTER, note_onsets="strike")
    stream = engine.start(4)
    play(stream, 2)
    before = stream.snapshot()
    first = play(stream, 1, keys)
    after, held = stream.snapshot(), play(stream, 1, keys)
    sustained = stream.state.context.entries[-3].columns
    for _ in range(2):
        stream.restore(before)
        assert np.array_equal(play(stream, 1, keys), first)
    stream.restore(after)
    assert np.array_equal(play(stream, 1, keys), held)
    assert torch.equal(stream.state.context.entries[-3].columns, sustained)
    stream.restore(after)
    play(stream, 1, keys.with_(strikes=CLUSTER))
    assert not torch.equal(stream.state.context.entries[-3].columns, sustained)


def test_history_from_audio(engine: MagentaEngine) -> None:
    rng = np.random.default_rng(0)
    audio = (0.2 * rng.standard_normal((48_000, 2))).astype(np.float32)
    assert engine.info.continues_audio
    one, two, fresh = engine.start(9), engine.start(3), engine.start(3)
    snapshot = engine.snapshot_after(audio, 48_000, seed=3)
    one.restore(snapshot)
    two.restore(engine.snapshot_after(audio * [[-0.5, 0.1]], 48_000, seed=3))
    assert one.state.context.frame == 25
    first = play(one, 2)
    assert not np.array_equal(first, play(two, 2))
    assert not np.array_equal(first, play(fresh, 2))
    fresh.restore(snapshot)
    assert np.array_equal(play(fresh, 2), first)
    fresh.restore(engine.snapshot_after(audio, 48_000, seed=4))
    assert not np.array_equal(play(fresh, 2), first)
    with pytest.raises(SegueError, match="silent"):
        engine.snapshot_after(np.zeros((48_000, 2), np.float32), 48_000)
    assert engine.snapshot_after(audio[:, 0], 44_100).context.frame == 27


def test_no_encoder_says_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").symlink_to(folder / "checkpoints")
    lacking = MagentaEngine("small", "cpu", tmp_path, "float32", config=TINY, codec=CODEC)
    audio = np.random.default_rng(0).standard_normal((48_000, 2)).astype(np.float32)
    with pytest.raises(SegueError, match=r"encoder\.safetensors.*models fetch"):
        lacking.snapshot_after(audio, 48_000)


@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_other_precisions_play(folder: Path, precision: str) -> None:
    engine = MagentaEngine("small", "cpu", folder, precision, config=TINY, codec=CODEC)
    assert block_fault(engine.start().render(Controls()), engine.info) is None


def test_unknown_precision(folder: Path) -> None:
    with pytest.raises(SegueError, match="int8-weights"):
        MagentaEngine("small", "cpu", folder, "int3", config=TINY, codec=CODEC)


@pytest.mark.parametrize("size", sorted(SIZES))
def test_absent_weights_name_the_command(
    size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_MODELS", str(tmp_path))
    name = f"magenta-rt2-{size}"
    assert name in engine_names()
    with pytest.raises(SegueError, match=f"models fetch {name}"):
        open_engine(name, "cpu")


def test_sound_that_is_not_finite_is_refused(
    stream: MagentaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(stream, 2)
    before = stream.snapshot()
    decode = stream.engine.codec.decode_step
    with monkeypatch.context() as patch:
        patch.setattr(
            stream.engine.codec, "decode_step", lambda c, s: (decode(c, s)[0] * torch.nan, s)
        )
        with pytest.raises(SegueError, match="not finite"):
            stream.render(Controls())
    assert stream.snapshot() is before
    after = play(stream, 2)
    stream.restore(before)
    assert np.array_equal(play(stream, 2), after)


def test_collapse_into_silence_eases_guidance_and_then_clears(
    stream: MagentaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = stream.engine.codec.decode_step
    monkeypatch.setattr(stream.engine.codec, "decode_step", lambda c, s: (decode(c, s)[0] * 0.0, s))
    outputs = []
    for _ in range(int(CLEAR_SECONDS / stream.engine.info.block_seconds) + 1):
        stream.render(Controls(guidance=6.0))
        outputs.append(stream.state.watch.guidance(6.0))
        if stream.state.epoch:
            break
    assert outputs[0] == 6.0
    assert min(outputs) == SAFE_GUIDANCE
    assert stream.state.epoch == 1 and stream.state.context.entries == ()


def test_watch() -> None:
    watch = SilenceWatch()
    for _ in range(10):  # a rest
        watch = watch.after(-80.0, REST_SECONDS / 10, 6.0)
    assert watch.guidance(6.0) == 6.0
    for _ in range(10):
        watch = watch.after(-80.0, 0.1, 6.0)
    assert watch.guidance(6.0) == pytest.approx(4.0)
    assert watch.guidance(0.5) == 0.5
    for _ in range(40):
        watch = watch.after(-20.0, 0.2, 6.0)
    assert watch == SilenceWatch()


def test_a_run_that_swells_stays_under_full_scale() -> None:
    """What the ten-minute drift does to the level, and what is left of it."""
    state, rng = LevelState(), np.random.default_rng(1)
    for block in range(600):
        audio = rng.standard_normal((5760, 2)).astype(np.float32) * (0.05 * 1.01**block)
        audio, state = normalise_loudness(audio, state)
        assert np.abs(audio).max() < 1.0


def test_conditioning_tokens() -> None:
    tokens = condition_tokens(np.arange(12), Controls(notes=(0, 60), drums=True), 3.0)
    shifted = tokens - CONDITION_OFFSET
    assert shifted[:12].tolist() == [0, 1, 2, 3, 4, 5, -1, -1, -1, -1, -1, -1]
    assert shifted[12] == 3 and shifted[72] == 3
    assert set(shifted[12:140].tolist()) == {3, -1}
    assert shifted[140:].tolist() == [1, 20, 10, 2]
    free = condition_tokens(None, Controls(), -1.0) - CONDITION_OFFSET
    assert free[:141].tolist() == [-1] * 141 and free[141] == 0
    with pytest.raises(ValueError, match="style tokens"):
        condition_tokens(np.full(12, 1024), Controls(), 3.0)


@pytest.mark.parametrize(
    ("value", "step", "token"),
    [(-1, 0.2, 0), (7, 0.2, 40), (9, 0.2, 40), (-5, 0.2, 0), (3, 0.2, 20), (7, 1, 8), (0.4, 1, 1)],
)
def test_guidance_tokens(value: float, step: float, token: int) -> None:
    assert guidance_token(value, step) == token


def test_graphs_have_a_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cuda_graphs.DISABLE_VARIABLE, raising=False)
    assert (
        cuda_graphs.enabled("cuda")
        and not cuda_graphs.enabled("cpu")
        and not cuda_graphs.enabled("mps")
    )
    monkeypatch.setenv(cuda_graphs.DISABLE_VARIABLE, "1")
    assert not cuda_graphs.enabled("cuda")


def test_playing_on_beside_the_codec_changes_nothing(engine: MagentaEngine) -> None:
    """Speculative frames are used for an equal request and discarded otherwise."""
    loose = Controls(chaos=0.9, style=engine.embed_text("flute"))
    turns = [Controls()] * 3 + [loose] * 2 + [Controls(notes=(60,))] + [Controls()] * 2
    outputs = []
    for beside in (False, True):
        generator, engine.generator = (
            engine.generator,
            BlockGenerator(engine.stepper, engine.codec, beside),
        )
        try:
            stream, other = engine.start(5), engine.start(6)
            blocks = [stream.render(controls) for controls in turns]
            snapshot = stream.snapshot()
            blocks += [other.render(Controls()), stream.render(loose), stream.render(loose)]
            stream.clear()
            blocks.append(stream.render(loose))
            stream.restore(snapshot)
            blocks += [stream.render(loose), stream.render(Controls())]
            assert np.array_equal(blocks[-2], blocks[9])
        finally:
            engine.generator.close()
            engine.generator = generator
        outputs.append(np.concatenate(blocks))
    assert np.array_equal(outputs[0], outputs[1])


def test_frames_are_played_ahead_and_used(engine: MagentaEngine) -> None:
    steps: list[int] = []
    step = engine.stepper.step

    def counted(*arguments: Any) -> Tensor:
        steps.append(engine.stepper.frame)
        return step(*arguments)

    slow = engine.codec.decode_step

    def waits(*arguments: Any) -> Any:
        time.sleep(0.2)
        return slow(*arguments)

    generator, engine.generator = (
        engine.generator,
        BlockGenerator(engine.stepper, engine.codec, True),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.stepper, "step", counted)
        patch.setattr(engine.codec, "decode_step", waits)
        try:
            stream = engine.start(5)
            for _ in range(3):
                stream.render(Controls())
            assert steps == list(range(12))  # each once, and one block ahead at the end
            stream.render(Controls(chaos=1.0))
            assert steps[12:] == [9, 10, 11, 12, 13, 14]
        finally:
            engine.generator.close()
            engine.generator = generator


def test_while_a_control_moves_the_codec_has_both_threads(engine: MagentaEngine) -> None:
    """No frame is generated that would be discarded; once the control rests, it is as before."""
    steps: list[int] = []
    threads: list[int] = []
    step, decode = engine.stepper.step, engine.codec.decode_step
    before = torch.get_num_threads()

    def counted(*arguments: Any) -> Tensor:
        steps.append(engine.stepper.frame)
        return step(*arguments)

    def watched(*arguments: Any) -> Any:
        threads.append(torch.get_num_threads())
        time.sleep(0.2)
        return decode(*arguments)

    generator, engine.generator = (
        engine.generator,
        BlockGenerator(engine.stepper, engine.codec, True),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.stepper, "step", counted)
        patch.setattr(engine.codec, "decode_step", watched)
        try:
            stream, counts = engine.start(5), []
            for chaos in (0.1, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4):
                stream.render(Controls(chaos=chaos))
                counts.append(len(steps))
                steps.clear()
        finally:
            engine.generator.close()
            engine.generator = generator
            torch.set_num_threads(before)
    one = threads[0]
    assert counts == [6, 3, 6, 3, 3, 6, 3]
    assert threads == [one, one, one, 2 * one, 2 * one, one, one]


def test_what_compares_graph_and_eager_tells_them_apart(
    engine: MagentaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measurement for CUDA devices, on the parts that need none."""
    stepper = FrameStepper(engine.model)
    frames = measure_cuda.generate_frames(stepper, 60)
    assert frames.shape == (60, 12) and torch.equal(
        frames, measure_cuda.generate_frames(stepper, 60)
    )
    assert measure_cuda.repeats_after_restore(stepper, 20)

    def stale() -> None:  # a graph that does not see the last frame
        stepper.previous.zero_()
        stepper.run()

    with monkeypatch.context() as patch:
        patch.setattr(stepper, "replay", stale)
        assert not torch.equal(frames, measure_cuda.generate_frames(stepper, 60))
    stepper.reset()
    assert torch.equal(frames, measure_cuda.generate_frames(stepper, 60))


def test_a_graph_that_cannot_be_captured_leaves_the_engine_playing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(stepper: FrameStepper) -> None:
        stepper.run()  # the warm-up, which writes into the rings
        raise RuntimeError("CUDA error: operation not permitted\nmore")

    plain = MagentaEngine("small", "cpu", folder, "float32", config=TINY, codec=CODEC)
    monkeypatch.setattr(cuda_graphs, "enabled", lambda device: True)
    monkeypatch.setattr(cuda_graphs, "capture", fails)
    engine = MagentaEngine("small", "cpu", folder, "float32", config=TINY, codec=CODEC)
    assert "without a CUDA graph" in capsys.readouterr().err
    assert np.array_equal(play(engine.start(2), 2), play(plain.start(2), 2))


def test_a_packed_snapshot_goes_on_bit_for_bit(engine: MagentaEngine, folder: Path) -> None:
    stream = engine.start(5)
    play(stream, 4)
    packed = engine.pack(stream.snapshot())
    expected = play(stream, 3)
    later = MagentaEngine("small", "cpu", folder, "float32", config=TINY, codec=CODEC)
    other = later.start(9)
    other.restore(later.unpack(packed))
    assert np.array_equal(play(other, 3), expected)
    whole = MagentaEngine("small", "cpu", folder, "int8", config=TINY, codec=CODEC)
    with pytest.raises(SegueError, match="another precision"):
        whole.unpack(packed)
    with pytest.raises(SegueError, match="another engine"):
        engine.pack(object())


def test_other_weights_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a"
    prints = []
    for content in (b"one", b"two", b"one" * 2_000_000):
        path.write_bytes(content)
        prints.append(files.fingerprint(tmp_path, "a"))
    assert len(set(prints)) == 3
    (tmp_path / files.FILE_LIST).write_text('{"files": {"a": {"size": 3, "sha256": "ab"}}}')
    assert files.fingerprint(tmp_path, "a") == "ab"
    with pytest.raises(SegueError, match="cannot be read"):
        files.fingerprint(tmp_path, "b")
