"""Learned sounds: names, scales, files, library, and what they do to the renderer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.engine.controls import Controls
from models.engine.prompts import Prompt, parse_prompt
from models.engine.sounds import check_name, refuse_sound, sound_name, sound_scales
from models.errors import SegueError
from models.segue.renderer.adaptation import RendererMixes, adapted
from models.segue.renderer.features import unknown_score
from models.segue.renderer.inference import KeyValueCache, RendererInference
from models.segue.renderer.network import Renderer, RendererConfig
from models.segue.renderer.sampler import GuidanceInput, Sampler
from models.sounds.file import MAX_BYTES, LearnedSound, read_sound, write_sound
from models.sounds.library import SoundLibrary

CONFIG = RendererConfig(
    latent_dim=8, width=32, layers=2, heads=2, kv_heads=1, hidden=64, score_width=16, window=3
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("sound:Forest", "forest"),
        (" SOUND:  My  Album ", "my album"),
        ("sound:été-2", "été-2"),
        ("forest", None),
        ("sounds of the forest", None),
        (None, None),
    ],
)
def test_name_of_a_prompt(text: str | None, name: str | None) -> None:
    assert sound_name(text) == name


@pytest.mark.parametrize("name", ["", "  ", "a/b", "..", "a_b", "-a", "a.b", "x" * 41, "a@1"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(SegueError, match="no name for a sound"):
        check_name(name)


@pytest.mark.parametrize(
    ("prompts", "scales"),
    [
        ([("sound:a", 1.0, 1.0)], {"a": 1.0}),
        ([("sound:a", 1.0, 0.0)], {}),
        ([("sound:a", 0.5, 1.0), ("flute", 0.5, 1.0)], {"a": 0.5}),
        ([("sound:a", 2.0, 0.5), ("sound:b", 2.0, 1.5)], {"a": 0.25, "b": 0.75}),
        ([("sound:a", 0.0, 1.0), ("flute", 1.0, 1.0)], {}),
        ([("sound:a", 1.0, 1.0), ("sound:A", 1.0, 0.5)], {"a": 0.75}),
        ([("flute", 1.0, 1.0)], {}),
    ],
)
def test_how_far_sounds_act(
    prompts: list[tuple[str, float, float]], scales: dict[str, float]
) -> None:
    mixed = [Prompt(text=text, weight=weight, amount=amount) for text, weight, amount in prompts]
    assert dict(sound_scales(mixed)) == scales


def test_a_prompt_on_the_command_line() -> None:
    assert parse_prompt("sound:Forest@0.25=0.5") == Prompt("sound:Forest", None, 0.5, 0.25)
    assert parse_prompt("sound:forest").amount == 1.0
    for wrong in ("sound:forest@much", "sound:forest@2", "sound:a/b"):
        with pytest.raises(SegueError):
            parse_prompt(wrong)
    with pytest.raises(SegueError, match="segue-diffusion"):
        refuse_sound("sound:forest", "another")
    refuse_sound("a sound", "another")


def test_controls_compare_their_sounds() -> None:
    assert Controls(sounds={"a": 1.0}) == Controls(sounds={"A": 1.0}) != Controls()
    for wrong in ({"a": 2.0}, {"a/b": 1.0}, 3, {"a": float("nan")}):
        with pytest.raises(SegueError):
            Controls(sounds=wrong)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def network() -> Renderer:
    torch.manual_seed(0)
    made = Renderer(CONFIG)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made.eval().requires_grad_(False)


@pytest.fixture
def weights(tmp_path: Path, network: Renderer) -> Path:
    """A folder with the weights of a small renderer."""
    folder = tmp_path / "weights"
    folder.mkdir()
    sampler = Sampler((0.0, 0.5), "euler", GuidanceInput(1.0, 1.5, 3.0))
    header = {**CONFIG.as_metadata(), **sampler.as_metadata()}
    save_file(network.state_dict(), folder / "renderer.safetensors", metadata=header)
    (folder / "manifest.json").write_text("{}")
    return folder


def sound_of(name: str, seed: int, base: str) -> LearnedSound:
    rng = np.random.default_rng(seed)

    def noise(*shape: int) -> np.ndarray:  # type: ignore[type-arg]
        return (0.3 * rng.standard_normal(shape)).astype(np.float16)

    changes = {
        "layers.0.query.up": noise(32, 4),
        "layers.0.query.down": noise(4, 32),
        "layers.1.table.change": noise(6, 32),
        "out.up": noise(16, 4),
        "out.down": noise(4, 32),
    }
    style = rng.standard_normal(128).astype(np.float32)
    return LearnedSound(name, base, style, changes, files=("a.wav",), licence="mine", rank=4)


def block(renderer: RendererInference) -> torch.Tensor:
    """The second block of a stream."""
    cache, noise = KeyValueCache(), torch.Generator().manual_seed(1)
    for _ in range(2):
        drawn = torch.randn(3, 16, generator=noise)
        latents, cache = renderer.block(cache, unknown_score(6), torch.ones(128) * 0.1, drawn)
    return latents


@pytest.fixture
def library(tmp_path: Path, weights: Path) -> SoundLibrary:
    from models.sounds.library import base_checksum

    made = SoundLibrary(tmp_path / "sounds", weights)
    for seed, name in enumerate(("forest", "my album")):
        made.add(sound_of(name, seed, base_checksum(weights)))
    return made


def test_a_mix_of_sounds(library: SoundLibrary, weights: Path, network: Renderer) -> None:
    from models.segue.renderer.loading import load_inference, load_renderer

    path = weights / "renderer.safetensors"
    base = load_inference(path)
    mixes = RendererMixes(lambda: load_renderer(path), base, library)
    plain = block(base)
    assert mixes.of({}) is base and mixes.of({"forest": 0.0}) is base
    one = block(mixes.of({"forest": 1.0}))
    both = block(mixes.of({"forest": 0.5, "my album": 1.0}))
    assert mixes.of({"forest": 1.0}) is mixes.of({"forest": 1.0})
    assert not torch.allclose(plain, one, atol=1e-3)
    assert torch.equal(plain, block(base))  # the base is not touched
    # The changes add up by their scales: as one network with the sum in its weights.
    sounds = [(library.get("forest"), 0.5), (library.get("my album"), 1.0)]
    summed = Renderer(CONFIG).eval()
    from models.segue.renderer.adaptation import with_changes

    summed.load_state_dict(with_changes(network.state_dict(), sounds))
    whole = RendererInference(summed.requires_grad_(False), base.sampler)
    assert torch.allclose(both, block(whole), atol=1e-4)


def test_a_sound_of_another_network_is_refused(network: Renderer, weights: Path) -> None:
    from models.segue.renderer.loading import load_inference

    base = load_inference(weights / "renderer.safetensors")
    wrong = replace(sound_of("odd", 1, ""), changes={"nowhere.change": np.zeros(3, np.float16)})
    with pytest.raises(SegueError, match="does not fit"):
        adapted(base, network, [(wrong, 1.0)])


def test_the_library(library: SoundLibrary, tmp_path: Path) -> None:
    assert library.names() == ("forest", "my album")
    style = library.embed(" Sound:My Album", lambda text: pytest.fail(text))
    assert np.array_equal(style, library.get("my album").style)
    assert library.embed("flute", lambda text: np.ones(3, np.float32)).sum() == 3
    exported = library.export("my album", tmp_path / "out")
    assert exported.stat().st_size < MAX_BYTES
    with pytest.raises(SegueError, match="there already"):
        library.export("my album", exported)
    with pytest.raises(SegueError, match="delete it first"):
        library.take_in(exported)
    assert library.take_in(exported, "Other").name == "other"
    library.delete("my album")
    assert library.names() == ("forest", "other")
    for act in (library.get, library.delete):
        with pytest.raises(SegueError, match="no learned sound 'my album'"):
            act("my album")
    again = library.get("other")
    assert (again.files, again.licence, again.rank) == (("a.wav",), "mine", 4)


def test_files_that_are_refused(library: SoundLibrary, tmp_path: Path) -> None:
    whole = library.path("forest").read_bytes()
    strange = tmp_path / "strange.sound.safetensors"
    cases = {
        b"": "damaged",
        b"RIFF1234WAVE": "damaged",
        whole[: len(whole) // 2]: "damaged",
        whole.replace(b"segue-sound", b"other-sound"): "no learned sound",
        b"x" * (MAX_BYTES + 1): "damaged",
    }
    for content, sentence in cases.items():
        strange.write_bytes(content)
        with pytest.raises(SegueError, match=sentence):
            read_sound(strange)
    write_sound(replace(library.get("forest"), base="0" * 64), library.path("forest"))
    with pytest.raises(SegueError, match="other weights"):
        SoundLibrary(library.folder, library._weights).get("forest")
    broken = replace(library.get("my album"), style=np.full(128, np.nan, np.float32))
    write_sound(broken, strange)
    with pytest.raises(SegueError, match="not finite"):
        read_sound(strange)
    with pytest.raises(SegueError, match="cannot be written"):
        write_sound(broken, tmp_path / "strange.sound.safetensors" / "x")
    large = {"out.change": np.zeros(3_000_000, np.float16)}
    with pytest.raises(SegueError, match="too large"):
        write_sound(replace(broken, changes=large), tmp_path / "large")
