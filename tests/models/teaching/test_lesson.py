"""Teaching: the pupil, the objective, lessons that go on, and what files are told about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from models.errors import SegueError
from models.music.score import SAMPLE_RATE
from models.segue.codec import bands
from models.segue.renderer.adaptation import with_changes
from models.segue.renderer.features import unknown_score
from models.segue.renderer.network import Renderer, RendererConfig
from models.segue.renderer.sampler import GuidanceInput, Sampler
from models.segue.studio.warmth import warmed
from models.sounds.file import LearnedSound
from models.teaching.frames import FrameFeatures
from models.teaching.lesson import CHECKPOINT, Lesson, Study
from models.teaching.listener import Listener
from models.teaching.low_rank import Pupil
from models.teaching.material import Passage, audio_files, read_material, read_pieces, sounding
from models.teaching.objective import DRESSED, MUSIC, Given, energy_score, predict
from models.teaching.picture import HEIGHT, WIDTH, picture_of
from models.teaching.plan import CoursePlan
from models.teaching.rehearsal import ScoredClip, load_clip, save_clip
from models.teaching.store import EncodedFile, read_encoded, write_encoded
from models.teaching.transcription import CHROMA, HeardScore

CONFIG = RendererConfig(
    latent_dim=8, width=32, layers=2, heads=2, kv_heads=1, hidden=64, score_width=16, window=3
)
FEATURES = FrameFeatures(torch.eye(8)[:5], torch.eye(8)[5:], torch.eye(8)[None, :5])
SAMPLER = Sampler((0.0, 0.5), "euler", GuidanceInput(1.0, 1.5, 3.0))


@pytest.fixture(scope="module")
def base() -> Renderer:
    torch.manual_seed(0)
    made = Renderer(CONFIG)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made.eval().requires_grad_(False)


def heard(frames: int) -> HeardScore:
    zeros = np.zeros(frames, np.float32)
    known = np.ones((frames, 2), np.float32)
    beat, chroma = np.zeros((frames, 4), np.float32), np.ones((frames, 12), np.float32)
    notes = np.array([[0.5, 1.5, 1, 40, 90], [0.5, 0.9, 3, 72, 80]], np.float32)
    harmony = np.tile(np.array([0, 0, 0, 4], np.float32), (frames, 1))
    onsets = np.array([0.5, 1.0], np.float32)
    return HeardScore(chroma, beat, known, zeros + 120, zeros, notes, harmony, onsets)


def lesson_in(folder: Path, base: Renderer, note: str = "base", seconds: float = 9.0) -> Lesson:
    rng = np.random.default_rng(3)
    steps = iter(range(10_000))
    latents = (0.2 * rng.standard_normal((200, 8)) + 1.0).astype(np.float32)
    own = torch.from_numpy(rng.standard_normal((160, 8)).astype(np.float32))
    rehearsal = [ScoredClip(own, unknown_score(160), torch.zeros(128))]
    studies = [Study(latents, heard(200)), Study(latents[:40], heard(40))]
    styles = [np.ones(128, np.float32) * share for share in (0.1, 0.3)]
    return Lesson(
        base, SAMPLER, studies, rehearsal, styles, FEATURES, folder, seconds, rank=4,
        clock=lambda: float(next(steps)), note=note,
    )  # fmt: skip


def test_a_pupil_begins_as_its_base_and_its_changes_are_what_it_learned(base: Renderer) -> None:
    pupil = Pupil(base, 4)
    score, limit = unknown_score(18), torch.full((1,), 3)
    given = Given(score, torch.ones(1, 128) * 0.1, torch.ones(1), limit)
    clean, noisy = torch.randn(1, 9, 16), torch.randn(1, 9, 16)
    level = torch.tensor([[0.0, 0.5, 0.0]])
    whole = base(clean, noisy, level, score, given.style, torch.ones(1), given.guidance, limit)
    with torch.no_grad():
        # Two noisy streams beside one context are what each of them is alone.
        both = predict(base, clean, torch.cat([noisy, 2 * noisy], 1), level.repeat(1, 2), given)
        assert torch.allclose(both[:, :9], whole, atol=1e-5)
        assert torch.allclose(predict(pupil.network, clean, noisy, level, given), whole, atol=1e-5)
        for parameter in pupil.parameters.values():
            parameter.add_(0.05 * torch.randn(parameter.shape))
        learned = predict(pupil.network, clean, noisy, level, given)
        changes = pupil.changes(pupil.parameters)
        sound = LearnedSound("a", "", np.zeros(128, np.float32), changes)
        other = Renderer(CONFIG).eval()
        other.load_state_dict(with_changes(base.state_dict(), [(sound, 1.0)]))
        assert torch.allclose(predict(other, clean, noisy, level, given), learned, atol=2e-2)
    assert not torch.allclose(learned, whole, atol=5e-2)


def test_the_energy_score_is_least_for_the_musics_own_distribution() -> None:
    rng = torch.Generator().manual_seed(0)

    def draw(spread: float) -> torch.Tensor:
        return spread * torch.randn(400, 3, 16, generator=rng)

    music = draw(1.0)
    scores = {
        spread: float(energy_score(torch.cat([draw(spread), draw(spread)], 1), music))
        for spread in (0.0, 0.5, 1.0, 2.0)
    }
    assert min(scores, key=lambda spread: scores[spread]) == 1.0


def test_a_lesson_goes_on_where_it_was(
    base: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.teaching.lesson.BLOCKS", 6)
    whole = lesson_in(tmp_path, base)
    for _ in range(4):
        whole.learn()
    broken = lesson_in(tmp_path, base)
    assert not broken.resume()
    for _ in range(2):
        broken.learn()
    broken.save()
    later = lesson_in(tmp_path, base)
    assert later.resume()
    assert (later.step, later.spent) == (2, broken.spent)
    for _ in range(2):
        later.learn()
    expected = whole.changes()
    for name, value in later.changes().items():
        assert np.allclose(value, expected[name], atol=1e-3), name


def test_each_window_has_the_style_and_the_frames_of_its_piece(
    base: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.teaching.lesson.BLOCKS", 6)
    lesson = lesson_in(tmp_path, base)
    lesson.studies[1] = Study(np.full((150, 8), -3.0, np.float32), heard(150))
    dressed = set()
    for number in range(40):
        batch = lesson._batch(np.random.default_rng(number))
        for latents, style, kind in zip(batch.latents, batch.style, batch.kind, strict=True):
            of_second = style[0] > 0.2
            if kind == MUSIC:
                assert bool((latents == -3.0).all()) == of_second
            elif kind == DRESSED:
                assert bool((batch.frames == -3.0).all()) == of_second
                dressed.add(bool(of_second))
            else:
                assert not style.any()
    assert dressed == {False, True}


def test_a_lesson_comes_nearer_to_its_music(
    base: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.teaching.lesson.BLOCKS", 6)
    lesson = lesson_in(tmp_path, base, seconds=60.0)
    parts = []
    while not lesson.finished:
        parts.append(lesson.learn())
    for name in ("music", "dressed"):
        before, after = (np.mean([part[name] for part in some]) for some in (parts[:8], parts[-8:]))
        assert after < 0.98 * before, name
    assert max(float(np.abs(value).max()) for value in lesson.changes().values()) > 0.01


def test_a_checkpoint_that_does_not_fit_begins_afresh(
    base: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.teaching.lesson.BLOCKS", 6)
    lesson = lesson_in(tmp_path, base)
    lesson.learn()
    lesson.save()
    assert not lesson_in(tmp_path, base, note="other weights").resume()
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    again = lesson_in(tmp_path, base)
    assert not again.resume()
    assert again.learn()["music"] > 0
    (tmp_path / f"{CHECKPOINT}.partial").mkdir()
    with pytest.raises(OSError):
        lesson.save()


def write(path: Path, audio: np.ndarray, rate: int = SAMPLE_RATE) -> Path:  # type: ignore[type-arg]
    soundfile.write(path, audio, rate)
    return path


def test_what_is_said_about_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal((6 * SAMPLE_RATE, 2))
    loud = np.clip(8 * noise, -1, 1)
    pause = np.concatenate([noise, np.zeros((4 * SAMPLE_RATE, 2)), noise])
    (tmp_path / "broken.mp3").write_bytes(b"x" * 4000)
    (tmp_path / "note.txt").write_text("no audio")
    cases = [
        (write(tmp_path / "good.flac", noise[: 5 * SAMPLE_RATE, 0]), 1, ""),
        (write(tmp_path / "other.wav", noise[:, 0], 44_100), 1, ""),
        (write(tmp_path / "short.wav", noise[:SAMPLE_RATE]), 0, "lasts 1.0 s"),
        (write(tmp_path / "silent.wav", 0 * noise), 0, "silent"),
        (write(tmp_path / "clipped.wav", loud), 1, "clipped"),
        (write(tmp_path / "pause.wav", pause), 2, "silent for 4 s"),
        (tmp_path / "broken.mp3", 0, "no MP3"),
    ]
    for path, count, sentence in cases:
        pieces, findings = read_pieces(path)
        said = " ".join(finding.sentence for finding in findings)
        assert (len(pieces), sentence in said, bool(said)) == (count, True, bool(sentence)), path
        for piece in pieces:
            assert piece.audio.shape[1] == 2 and np.isfinite(piece.audio).all()
            level = 10 * np.log10(np.square(piece.audio).mean())
            assert level == pytest.approx(-17.0, abs=0.5)
    found = audio_files([tmp_path, tmp_path / "good.flac"])
    assert sorted(path.name for path in found) == sorted(path.name for path, *_ in cases)
    assert sum(len(pieces) for _, pieces, _ in read_material(found)) == 5
    for wrong in (tmp_path / "note.txt", tmp_path / "nowhere"):
        with pytest.raises(SegueError):
            audio_files([wrong])
    assert sounding(np.zeros((SAMPLE_RATE, 2), np.float32)) == []


def test_material_and_rehearsal_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    study = Study(rng.standard_normal((50, 8)).astype(np.float32), heard(50))
    mix = rng.standard_normal((3, 16)).astype(np.float32)
    ringing = rng.standard_normal((2, 3)).astype(np.float32)
    encoded = EncodedFile("a.wav", (study,), np.eye(2, 128, dtype=np.float32), 2.0, mix, ringing)
    path = tmp_path / "a.safetensors"
    write_encoded(encoded, path, "a.wav 1")
    again = read_encoded(path, "a.wav 1")
    assert again is not None and np.allclose(again.studies[0].latents, study.latents, atol=1e-2)
    assert np.array_equal(again.mix, mix) and np.array_equal(again.contrasts, ringing)
    assert again.studies[0].heard.score(slice(0, 6)).known[0, :, CHROMA:].all()
    assert read_encoded(path, "a.wav 2") is None
    path.write_bytes(b"damaged")
    assert read_encoded(path, "a.wav 1") is None
    clip = ScoredClip(torch.randn(12, 8), unknown_score(12), torch.zeros(128))
    save_clip(clip, tmp_path / "clip.safetensors")
    loaded = load_clip(tmp_path / "clip.safetensors")
    assert torch.allclose(loaded.latents, clip.latents, atol=1e-2)
    assert torch.equal(loaded.score.instruments, clip.score.instruments)


def test_files_are_heard_without_the_tilt_of_the_mixes(monkeypatch: pytest.MonkeyPatch) -> None:
    class BandsCodec:
        """Its latents are the bands."""

        def encode_bands(self, shown: np.ndarray, images: np.ndarray) -> np.ndarray:
            assert len(shown) == 4 * len(images)
            return shown

    listener = Listener(Path())
    monkeypatch.setitem(vars(listener), "codec", BandsCodec())
    for name in ("_ears", "_notes"):
        monkeypatch.setitem(vars(listener), name, None)
    monkeypatch.setattr(listener, "_styles", lambda audio: [np.zeros(128, np.float32)])
    monkeypatch.setattr("models.teaching.listener.transcribe", lambda *given: heard(10))
    noise = np.random.default_rng(1).standard_normal((6 * SAMPLE_RATE, 2)).astype(np.float32)
    encoded = listener.encode("a.wav", [Passage("a.wav", 0.1 * noise)])
    (study,) = encoded.studies
    # Who plays them adds the tilt: then they are as the file is.
    played = warmed(study.latents)
    assert np.allclose(played, bands.analyse(0.1 * noise)[0], atol=0.02)
    assert np.abs(played - study.latents).max() > 0.1
    assert encoded.mix.shape == (1, 16)
    # A window of 5 s, in which noise neither begins nor rests.
    assert encoded.contrasts.shape == (1, 3) and encoded.contrasts.max() < 12.0


def test_the_picture_shows_highs_above() -> None:
    bands = np.zeros((300, 320))
    bands[:, 300:] = 1.0
    picture = picture_of(bands)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture[0].sum() > picture[-1].sum()
    assert picture_of(np.random.default_rng(0).random((7, 320))).shape == (HEIGHT, WIDTH, 3)


def test_plans_are_checked() -> None:
    plan = CoursePlan("My  Album", ("a",))
    assert plan.name == "my album"
    for wrong in ({"minutes": 0.0}, {"rank": 2}, {"rank": 17}, {"threads": 0}, {"name": "a/b"}):
        with pytest.raises(SegueError):
            replace(plan, **wrong)  # type: ignore[arg-type]
