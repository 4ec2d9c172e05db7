"""SFZ, SoundFonts, folders and single samples: they play, or there is one sentence."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.user_instruments import parse_user_instrument
from models.segue.studio.bank import Kit
from models.segue.studio.user.apart import InstrumentReader
from models.segue.studio.user.build import found_loop
from models.segue.studio.user.drum_sounds import drum_of_sound
from models.segue.studio.user.library import UserInstruments
from models.segue.studio.user.naming import name_of
from models.segue.studio.user.opening import open_instrument
from models.segue.studio.user.pitch_of_sample import pitch_of
from models.segue.studio.user.regions import UserInstrument
from models.segue.studio.user.sfz import read_sfz
from models.segue.studio.user.sfz_text import region_opcodes
from models.segue.studio.user.soundfont_file import open_soundfont
from tests.support.sample_files import RATE, hit, note, write_soundfont


def loaded(
    path: Path, drums: bool = False, preset: tuple[int, int] | None = None
) -> UserInstrument:
    library = UserInstruments()
    name = name_of(path)
    library.load(name, drums=False)
    found = library.instrument(name)
    assert found is not None
    return found


# -- SFZ ------------------------------------------------------------------------------------------
def no_include(name: str) -> str:
    raise AssertionError(name)


def test_opcodes_are_handed_down() -> None:
    text = """
    // <region> sample=no.wav
    /* <region> sample=no.wav */
    <control> default_path=a b/ #define $K 60 #define $KEY 7
    <global> volume=-3 ampeg_release=1
    <master> pan=10 <group> volume=-6 key=$K
    <region> sample=x y.wav tune=5 <region> sample=z.wav pan=$KEY
    <group> <region> sample=w.wav
    """
    first, second, third = region_opcodes(text, no_include)
    assert first["sample"] == "x y.wav" and first["volume"] == "-6" and first["tune"] == "5"
    assert first["key"] == "60" and first["pan"] == "10" and first["ampeg_release"] == "1"
    assert first["control:default_path"] == "a b/" and second["pan"] == "7"
    assert third["volume"] == "-3" and "key" not in third


def test_includes_end() -> None:
    assert (
        region_opcodes('#include "a"', lambda name: "<region> sample=q.wav")[0]["sample"] == "q.wav"
    )
    with pytest.raises(SegueError, match="include each other"):
        region_opcodes('#include "a"', lambda name: '#include "a"\n#include "a"')
    bomb = "".join(f"#define $a{i} " + f"$a{i - 1}" * 10 + "\n" for i in range(1, 12))
    with pytest.raises(SegueError, match="#define"):
        region_opcodes("#define $a0 xxxxxxxxxx\n" + bomb, no_include)


def test_sfz_as_instruments_use_it(tmp_path: Path) -> None:
    (tmp_path / "Samples").mkdir()
    for key in (48, 60):
        soundfile.write(tmp_path / "Samples" / f"N{key}.wav", note(key), RATE)
    soundfile.write(tmp_path / "Samples" / "soft.wav", note(60) * 0.3, RATE)
    (tmp_path / "more.txt").write_text("<region> sample=n48.wav hikey=53 pitch_keycenter=c3\n")
    (tmp_path / "t.sfz").write_text(
        "<control> default_path=samples\\\n<global> ampeg_attack=0.1 weird_one=3 other=4\n"
        '#include "more.txt"\n'
        "<region> sample=n60.wav lokey=54 lovel=64 pitch_keycenter=60 tune=20 transpose=-12 pan=-50"
        " loop_mode=loop_continuous loop_start=4000 loop_end=15999\n"
        "<region> sample=soft.wav lokey=54 hivel=63 seq_length=2 seq_position=2 group=1 off_by=2\n"
        "<region> sample=gone.wav\n<region> sample=*sine\n<region> sample=n60.wav trigger=release\n"
        "<region> sample=n60.wav locc64=64\n<region> sample=n60.wav sw_last=24 key=99\n"
        "<region> sample=n60.wav sw_last=25 key=100\n<region> sample=n60.wav end=-1\n"
    )
    file = read_sfz(tmp_path / "t.sfz")
    assert len(file.regions) == 4  # the first key switch's as well
    assert any("missing" in text for text in file.remarks)
    assert any("2 kinds of opcodes" in text and "weird_one" in text for text in file.remarks)
    sound = loaded(tmp_path / "t.sfz")
    loud, soft = sound.chosen(60, 100, 0)[0], sound.chosen(60, 30, 1 << 22)[0]
    assert loud.zone.loop == (4000, 16000) and loud.spec.pan == -0.5
    assert loud.cents_at(60) == 20 - 1200 and loud.spec.envelope.attack == 0.1
    assert soft.spec.group == 1 and soft.spec.off_by == 2 and soft.spec.sequence == (2, 2)
    assert sound.chosen(40, 100, 0)[0].zone.key == 48


# -- SoundFonts -----------------------------------------------------------------------------------
def test_soundfont(tmp_path: Path) -> None:
    path = write_soundfont(tmp_path / "f.sf2")
    font = open_soundfont(path)
    assert [(p.bank, p.program, p.name) for p in font.presets] == [(0, 5, "Tone"), (128, 0, "Kit")]
    sound = loaded(path)
    assert (
        sound.chosen(60, 100, 0)[0].zone.loop is not None
        and sound.chosen(60, 100, 0)[0].zone.key == 60
    )
    library = UserInstruments()
    name = name_of(path)
    library.load(name, drums=True)
    kit = library.kit(name)
    assert isinstance(kit, Kit) and kit.drums[0] and kit.drums[1] and not kit.drums[7]
    with pytest.raises(SegueError, match=r"no preset 3\.4"):
        library.load(name_of(path, (3, 4)), drums=False)


# -- folders and single samples -------------------------------------------------------------------
@pytest.mark.parametrize("key", [28, 40, 55, 62, 76, 88])
def test_pitch_of_a_sample(key: int) -> None:
    pitch = pitch_of(note(key, 1.0)[:, None], RATE)
    assert pitch is not None and abs(pitch - key) < 0.1


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(1).normal(size=(RATE, 1)).astype(np.float32)
    assert pitch_of(noise, RATE) is None


def test_a_held_note_is_looped_before_it_ends_and_in_phase() -> None:
    sound, loop, decay = found_loop(note(57, 2.0)[:, None], RATE)
    assert loop is not None and decay == 0.0 and loop[1] < 1.85 * RATE
    period = RATE / 220.0
    turns = (loop[1] - loop[0]) / period
    assert abs(turns - round(turns)) < 0.02
    joined = np.concatenate([sound[loop[1] - 400 : loop[1], 0], sound[loop[0] : loop[0] + 400, 0]])
    assert np.abs(np.diff(joined)).max() < 1.1 * np.abs(np.diff(sound[:, 0])).max()


def test_a_folder_by_note_names(tmp_path: Path) -> None:
    for name, key in (("a C3", 48), ("a C4", 60), ("a C4_v2", 60)):
        soundfile.write(tmp_path / f"{name}.wav", note(key, 0.8), RATE)
    soundfile.write(tmp_path / "readme.wav", note(50, 0.8), RATE)
    sound = loaded(tmp_path)
    assert (sound.low, sound.high) == (36, 72)
    assert sound.chosen(50, 100, 0)[0].zone.key == 48 and sound.chosen(55, 20, 0)[0].zone.key == 60
    soft, loud = sound.chosen(60, 20, 0)[0], sound.chosen(60, 120, 0)[0]
    assert soft.zone.number != loud.zone.number


def test_a_single_sample_is_tuned(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "blob.wav", note(50.3, 1.0), RATE)
    sound = loaded(tmp_path / "blob.wav")
    zone = sound.chosen(62, 100, 0)[0].zone
    assert zone.key == 50 and abs(zone.cents + 30) < 8 and zone.loop is not None


def test_hits_by_name_and_by_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "My Snare.wav", hit(190, 0.08, 0.7), RATE)
    soundfile.write(tmp_path / "unnamed.wav", hit(52, 0.15, 0.01), RATE)
    library = UserInstruments()
    name = name_of(tmp_path)
    remarks = library.load(name, drums=True)
    kit = library.kit(name)
    assert kit is not None and remarks == ("1 of its files are placed by their sound",)
    assert [bool(hits) for hits in kit.drums[:4]] == [True, True, False, False]


def test_drums_by_sound() -> None:
    sharp = np.diff(hit(9000, 0.02, 1.0), prepend=0).astype(np.float32)
    assert drum_of_sound(hit(52, 0.15, 0.01)[:, None], RATE) == "kick"
    assert drum_of_sound(sharp[:, None], RATE) == "hat"


def test_levels_are_the_studio_s(tmp_path: Path) -> None:
    for level in (0.01, 0.9):
        soundfile.write(tmp_path / f"x{level}.wav", note(60, 0.8) * level, RATE, subtype="FLOAT")
    gains = [loaded(tmp_path / f"x{level}.wav").gain for level in (0.01, 0.9)]
    assert abs(gains[0] / gains[1] - 90) < 1


# -- what is broken -------------------------------------------------------------------------------
def text(content: str | bytes) -> Callable[[Path], object]:
    raw = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(raw)


def wav(samples: NDArray[np.float32], rate: int = RATE) -> Callable[[Path], object]:
    return lambda path: soundfile.write(path, samples, rate, format="WAV", subtype="FLOAT")


def cut(size: int) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        write_soundfont(path)
        path.write_bytes(path.read_bytes()[:size])

    return write


def flipped(path: Path) -> None:
    """A SoundFont whose tables hold the largest numbers."""
    write_soundfont(path)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"pbag") + 8
    raw[at : at + 24] = b"\xff" * 24
    at = raw.index(b"shdr") + 8
    raw[at + 20 : at + 40] = b"\xff" * 20
    path.write_bytes(raw)


BROKEN: list[tuple[str, Callable[[Path], object]]] = [
    ("empty.wav", text("")),
    ("text.wav", text("hello" * 99)),
    ("header.wav", text(b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0")),
    ("silent.wav", wav(np.zeros(9000, np.float32))),
    ("nan.wav", wav(np.full(9000, np.nan, np.float32))),
    ("nothing.wav", wav(np.zeros(0, np.float32))),
    ("slow.wav", wav(np.ones(900, np.float32), 100)),
    ("channels.wav", wav(np.ones((900, 64), np.float32))),
    ("empty.sfz", text("")),
    ("binary.sfz", text(bytes(range(256)) * 40)),
    ("nosamples.sfz", text("<region> sample=gone.wav key=60")),
    ("includes.sfz", text('#include "includes.sfz"\n#include "includes.sfz"')),
    ("away.sfz", text('#include "nowhere.txt"')),
    ("device.sfz", text("<region> sample=/dev/zero key=60")),
    ("many.sfz", text("<region> sample=a.wav\n" * 20_001)),
    ("text.sf2", text("RIFF")),
    ("wav.sf2", wav(np.ones(900, np.float32))),
    ("cut.sf2", cut(300)),
    ("half.sf2", cut(60_000)),
    ("flipped.sf2", flipped),
    ("other.txt", text("hello")),
]


@pytest.mark.parametrize("drums", [False, True])
@pytest.mark.parametrize(("name", "write"), BROKEN, ids=[name for name, _ in BROKEN])
def test_what_is_broken_is_one_sentence(
    name: str, write: Callable[[Path], object], drums: bool, tmp_path: Path
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(SegueError) as caught:
        UserInstruments().load(name_of(path), drums)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 300


def test_folders_without_samples_and_files_that_are_gone(tmp_path: Path) -> None:
    with pytest.raises(SegueError, match="no samples"):
        name_of(tmp_path)
    with pytest.raises(SegueError, match="there is no file"):
        name_of(tmp_path / "gone.wav")
    soundfile.write(tmp_path / "a.wav", note(60, 0.6), RATE)
    name = name_of(tmp_path / "a.wav")
    soundfile.write(tmp_path / "a.wav", note(64, 0.6), RATE)
    assert any("changed" in remark for remark in UserInstruments().load(name, drums=False))
    (tmp_path / "a.wav").unlink()
    with pytest.raises(SegueError, match="automatic instrument"):
        UserInstruments().load(name, drums=False)


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large instrument keeps fewer layers and shorter samples; the library forgets the oldest."""
    from models.segue.studio.user import reading

    monkeypatch.setattr(reading, "MEMORY", 1_000_000)
    lines = []
    for layer in range(8):
        soundfile.write(tmp_path / f"{layer}.wav", note(60, 2.0), RATE)
        lines.append(f"<region> sample={layer}.wav lovel={16 * layer} hivel={16 * layer + 15}")
    (tmp_path / "big.sfz").write_text("\n".join(lines))
    library = UserInstruments(memory=700_000)
    name = name_of(tmp_path / "big.sfz")
    assert any("it is large" in remark for remark in library.load(name, drums=False))
    sound = library.instrument(name)
    assert sound is not None and sound.chosen(60, 127, 0) and sound.chosen(60, 1, 0)
    soundfile.write(tmp_path / "a.wav", note(60, 1.0), RATE)
    other = name_of(tmp_path / "a.wav")
    library.load(other, drums=False)
    assert library.instrument(other) is not None and library.instrument(name) is None
    assert not library.samples(sound.regions[0].zone).any()


def test_sampler_chunk(tmp_path: Path) -> None:
    """Root and loop of a WAV's own sampler chunk are taken before any are sought."""
    path = tmp_path / "x.wav"
    soundfile.write(path, note(57, 1.0), RATE, subtype="PCM_16")
    raw = bytearray(path.read_bytes())
    body = struct.pack("<9I", 0, 0, 0, 62, 0, 0, 0, 1, 0) + struct.pack(
        "<6I", 0, 0, 9000, 17999, 0, 0
    )
    raw += b"smpl" + struct.pack("<I", len(body)) + body
    raw[4:8] = struct.pack("<I", len(raw) - 8)
    path.write_bytes(raw)
    zone = loaded(path).regions[0].zone
    assert zone.key == 62 and zone.loop == (9000, 18000)


def test_a_process_of_its_own_reads_the_same(tmp_path: Path) -> None:
    """And one that is stopped gives up."""
    soundfile.write(tmp_path / "a C4.wav", note(60, 0.6), RATE)
    name = name_of(tmp_path / "a C4.wav")
    parsed = parse_user_instrument(name)
    assert parsed is not None
    reader = InstrumentReader(nice=0)
    here, there = open_instrument(parsed, 1, drums=False), reader(parsed, 1, drums=False)
    assert here.sound == there.sound and here.remarks == there.remarks
    assert all(np.array_equal(here.samples[n], there.samples[n]) for n in here.samples)
    reader.stop()
    with pytest.raises(SegueError, match="closed"):
        reader(parsed, 3, drums=False)
