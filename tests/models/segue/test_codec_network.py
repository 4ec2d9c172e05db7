"""Autoencoder, and the codec as a whole (models/segue/codec/)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import SegueError
from models.runtime import packed_linear
from models.segue.codec import Codec
from models.segue.codec import bands as B
from models.segue.codec.autoencoder import PATCH_SIZE, Autoencoder, CodecConfig
from models.segue.codec.codec import join_patches
from models.segue.codec.decoder import StreamingDecoder


@pytest.fixture(scope="module")
def codec() -> Codec:
    """A small codec with random last layers, so that the residual networks have an effect."""
    torch.manual_seed(0)
    config = CodecConfig(
        latent=24, encoder_width=32, encoder_blocks=2, decoder_width=32, decoder_blocks=2
    )
    network = Autoencoder(config)
    bands, stereo = B.analyse(sound(4.0))
    network.start_from_components(torch.from_numpy(join_patches(bands, stereo)))
    for part in (network.encoder, network.decoder):
        torch.nn.init.normal_(part.leave.weight, std=0.05)
        for block in part.blocks:
            torch.nn.init.normal_(block.out.weight, std=0.1)
    return Codec(network, iterations=2)


def sound(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    time = np.arange(int(seconds * B.SAMPLE_RATE)) / B.SAMPLE_RATE
    beat = np.exp(-8 * (time % 0.5))
    wave = np.sin(2 * np.pi * 330 * time)[:, None] * beat[:, None] * np.array([0.2, 0.3])
    return np.asarray(wave + 0.01 * rng.normal(size=wave.shape), np.float32)


def test_streamed_encoding_equals_whole(codec: Codec) -> None:
    audio = sound(1.2)[: 30 * B.FRAME]
    late = np.concatenate([np.zeros((B.LOOKAHEAD, 2), np.float32), audio])
    whole = codec.encode(late)[:30]
    for sizes in ([1] * 30, [6] * 5, [11, 2, 17]):
        state, pieces, at = codec.start_encoder(), [], 0
        for size in sizes:
            piece, state = codec.encode_step(audio[at : at + size * B.FRAME], state)
            pieces.append(piece)
            at += size * B.FRAME
        np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)


def test_encoding_never_sees_the_future(codec: Codec) -> None:
    audio = sound(1.2)[: 30 * B.FRAME]
    changed = audio.copy()
    changed[15 * B.FRAME + B.LOOKAHEAD :] = 0.3
    first, second = codec.encode(audio), codec.encode(changed)
    np.testing.assert_allclose(first[:15], second[:15], atol=1e-4)
    assert np.abs(first[17:] - second[17:]).max() > 0.1


def test_streamed_decoding_equals_whole(codec: Codec) -> None:
    latents = codec.encode(sound(1.2))
    whole_bands, whole_stereo, _ = codec.decode_step(latents, codec.start_decoder())
    state = codec.start_decoder()
    bands: list[np.ndarray] = []
    stereo: list[np.ndarray] = []
    for size in [1, 6, 6, 2, 15]:
        at = sum(len(part) for part in stereo)
        b, s, state = codec.decode_step(latents[at : at + size], state)
        bands.append(b)
        stereo.append(s)
    np.testing.assert_allclose(np.concatenate(bands), whole_bands, atol=1e-4)
    np.testing.assert_allclose(np.concatenate(stereo), whole_stereo, atol=1e-4)


def test_a_player_state_can_be_gone_back_to(codec: Codec) -> None:
    latents = codec.encode(sound(1.2))
    _, state = codec.decode_audio_step(latents[:12], codec.start_decoding(3))
    first, after = codec.decode_audio_step(latents[12:18], state)
    codec.decode_audio_step(latents[18:24], after)
    again, _ = codec.decode_audio_step(latents[12:18], state)
    assert first.shape == (6 * B.FRAME, 2)
    np.testing.assert_array_equal(first, again)


def test_components_alone_rebuild_what_they_were_fitted_to() -> None:
    patches = torch.from_numpy(join_patches(*B.analyse(sound(4.0))))
    network = Autoencoder(CodecConfig(latent=96, decoder_width=16))
    kept = network.start_from_components(patches)
    with torch.no_grad():
        latents, _ = network.encode(patches[None], network.encoder.start(1))
        back, _ = network.decode(latents, network.decoder.start(1))
    assert kept > 0.9
    error = (back[0] - patches).square().mean() / patches.var(0).mean()
    assert float(error) < 0.2
    assert latents.std((0, 1)).sub(1).abs().max() < 0.05
    assert latents.mean((0, 1)).abs().max() < 0.05


def test_weights_survive_the_file(codec: Codec, tmp_path: Path) -> None:
    path = tmp_path / "codec.safetensors"
    codec.save(path, "a test")
    loaded = Codec.load(path)
    assert loaded.latent_dim == codec.latent_dim == 24
    audio = sound(0.4)
    np.testing.assert_allclose(loaded.encode(audio), codec.encode(audio), atol=0.05)
    assert [p.name for p in tmp_path.iterdir()] == ["codec.safetensors"]


def test_damaged_weights_are_told(codec: Codec, tmp_path: Path) -> None:
    path = tmp_path / "codec.safetensors"
    with pytest.raises(SegueError, match="missing"):
        Codec.load(path)
    codec.save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[: len(whole) // 2], b"x" * 1000):
        path.write_bytes(damaged)
        with pytest.raises(SegueError, match="damaged"):
            Codec.load(path)


def test_wrong_shapes_are_told(codec: Codec) -> None:
    with pytest.raises(SegueError, match="24"):
        codec.decode_step(np.zeros((3, 25), np.float32), codec.start_decoder())
    with pytest.raises(SegueError, match="1920"):
        codec.encode_step(np.zeros((1000, 2), np.float32), codec.start_encoder())
    assert PATCH_SIZE == 1320


@pytest.mark.parametrize("laid_out", [True, False])
def test_played_and_trained_networks_decode_alike(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, laid_out: bool
) -> None:
    if not laid_out:  # as on a processor for which weights are not laid out
        monkeypatch.setattr(packed_linear, "can_pack", lambda: False)
    decoder = StreamingDecoder(codec.network)
    latents = torch.from_numpy(codec.encode(sound(1.2)))
    with torch.inference_mode():
        whole, _ = codec.network.decode(latents[None], codec.network.decoder.start(1))
        state, at = codec.network.decoder.start(1), 0
        for size in (6, 1, 15, 6, 2):
            given = [part.clone() for part in state]
            patches, after = decoder(latents[at : at + size], state)
            torch.testing.assert_close(patches, whole[0, at : at + size], atol=1e-5, rtol=0)
            assert all(map(torch.equal, given, state)), "what goes in is not written to"
            state, at = after, at + size
    for part in state:
        assert part.untyped_storage().nbytes() == part.numel() * part.element_size()
