"""What goes into the bundle, how large it may be, and what the installers are made from."""

from __future__ import annotations

import ast
import configparser
import json
import os
import plistlib
import re
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from models.magenta_rt2.checkpoint.files import MUSICCOCA

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
Load = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("torch/lib/libtorch_cpu.so", True),
        ("torch/lib/libtorchbind_test.so", False),
        ("torch/bin/torch_shm_manager", True),  # torch looks for it when it is imported
        ("torch/bin/protoc", False),
        ("torch/include/ATen/ATen.h", False),
        ("PySide6/Qt/lib/libQt6Core.so.6", True),
        ("PySide6/Qt/lib/libQt6Quick.so.6", False),
        ("PySide6/Qt/plugins/platforms/libqxcb.so", True),
        ("PySide6/Qt/plugins/platforms/libqoffscreen.so", True),
        ("PySide6\\plugins\\platforms\\qwindows.dll", True),
        ("PySide6/Qt/plugins/platforms/libqeglfs.so", False),
        ("PySide6/Qt/plugins/sqldrivers/libqsqlite.so", False),
        ("PySide6/Qt/plugins/platformthemes/libqgtk3.so", False),
        ("PySide6/Qt/translations/qt_de.qm", False),
        ("portaudio/libjack.so.0", True),
        ("libmvec.so.1", False),  # belongs to the system's glibc
        ("libjack.so.0", False),  # only as a second choice
        ("resources/weights/codec.safetensors", True),
        ("numpy/fft/tests/test_pocketfft.py", False),
    ],
)
def test_files_that_are_kept(script: Load, place: str, kept: bool) -> None:
    assert script("contents").is_included(place) is kept


def test_all_that_plays_goes_along_and_nothing_that_trains(script: Load) -> None:
    contents = script("contents")
    names = contents.own_modules()
    assert {"app.audio.process", "app.cli.selftest", "models.segue.diffusion_engine"} <= set(names)
    assert not [name for name in names if contents.within(name, contents.EXCLUDED_PACKAGES)]
    assert contents.within("models.corpus.dataset", contents.EXCLUDED_PACKAGES)
    assert not contents.within("models.corpusculum", contents.EXCLUDED_PACKAGES)


def test_what_plays_asks_for_nothing_that_is_left_out(script: Load) -> None:
    contents = script("contents")
    wrong = []
    for name in contents.own_modules():
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            wrong += [(name, one) for one in found if contents.within(one, contents.EXCLUDED)]
    assert not wrong


def test_resources_that_go_along_are_there(script: Load) -> None:
    contents = script("contents")
    there = {path.name for path in (ROOT / "resources").iterdir()}
    assert set(contents.RESOURCES) <= there
    assert there - set(contents.RESOURCES) == {"screenshots"}, "say whether it goes along"


def test_packaging_is_no_package() -> None:
    assert not list(PACKAGING.rglob("__init__.py"))


def test_the_spec_and_every_script_can_be_read() -> None:
    for path in (*PACKAGING.rglob("*.py"), PACKAGING / "segue.spec"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    for path in PACKAGING.rglob("*.sh"):
        subprocess.run(["bash", "-n", str(path)], check=True)
        assert os.access(path, os.X_OK) or path.name == "setup.sh"


def test_alsa_goes_along_with_its_settings(script: Load, tmp_path: Path) -> None:
    contents = script("contents")
    assert contents.alsa_files("/lib/libportaudio.so.2", tmp_path) == []
    with pytest.raises(SystemExit, match="libasound2-data"):
        contents.alsa_files("/lib/libasound.so.2", tmp_path)
    for name in ("alsa.conf", "pcm/default.conf", "cards/HDA.conf", "ctl/default.conf", "ucm2/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = contents.alsa_files("/lib/libportaudio.so.2:/lib/libasound.so.2", tmp_path)
    assert [place for place, _ in found] == [
        "portaudio/alsa/alsa.conf",
        "portaudio/alsa/cards/HDA.conf",
        "portaudio/alsa/ctl/default.conf",
        "portaudio/alsa/pcm/default.conf",
    ]
    assert all(contents.is_included(place) for place, _ in found)


def test_sizes_by_part(script: Load, tmp_path: Path) -> None:
    sizes = script("sizes")
    for place, size in (
        ("segue", 10),
        ("_internal/torch/lib/libtorch_cpu.so", 300),
        ("_internal/resources/weights/codec.safetensors", 70),
        ("_internal/resources/icons/add.svg", 1),
        ("_internal/libz.so.1", 2),
    ):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0" * size)
    (tmp_path / "_internal" / "libz.so").symlink_to("libz.so.1")
    assert sizes.measure(tmp_path) == {
        "program and Python modules": 10,
        "torch": 300,
        "weights": 70,
        "resources": 1,
        "Python and the rest": 2,
    }


@pytest.mark.parametrize(
    ("maximum", "code"), [("700.0", 0), ("0.0001", 1)], ids=["fits", "is too large"]
)
def test_a_bundle_that_is_too_large_stops_the_build(
    tmp_path: Path, maximum: str, code: int
) -> None:
    (tmp_path / "segue").write_bytes(b"0" * 1000)
    text = (PACKAGING / "sizes.py").read_text(encoding="utf-8")
    text = text.replace("MAX_UNPACKED_MB: Final = 720.0", f"MAX_UNPACKED_MB: Final = {maximum}")
    done = subprocess.run(
        [sys.executable, "-c", text, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert ("too large" in done.stderr) is bool(code)


def test_torch_is_asked_for_by_the_name_of_its_build(script: Load) -> None:
    build = script("build")
    requirement = build.requirements()[0]
    assert requirement.startswith("torch==")
    assert build.torch_names(requirement, "cpu", "Linux") == [f"{requirement}+cpu", requirement]
    assert build.torch_names(requirement, "cuda", "Linux") == [requirement]
    assert build.torch_names(requirement, "cpu", "Darwin") == [requirement]


def test_wants_are_those_of_pyproject(script: Load) -> None:
    dependencies = script("requirements").dependencies(["dev"])
    assert any(requirement.startswith("torch==") for requirement in dependencies)
    assert any(requirement.startswith("pytest") for requirement in dependencies)
    with pytest.raises(KeyError):
        script("requirements").dependencies(["no such extra"])


def test_icons_hold_every_size(script: Load) -> None:
    icons = script("icons")
    pictures = {size: b"\x89PNG" + bytes([size % 251]) * size for size in icons.ICO_SIZES}
    data = icons.ico(pictures)
    assert data[:6] == b"\x00\x00\x01\x00" + len(pictures).to_bytes(2, "little")
    for n, (size, picture) in enumerate(sorted(pictures.items())):
        row = data[6 + 16 * n : 22 + 16 * n]
        offset = int.from_bytes(row[12:], "little")
        assert row[0] == size % 256 and data[offset : offset + len(picture)] == picture
    mac = icons.icns({128: pictures[128], 256: pictures[256]})
    assert mac[:4] == b"icns" and int.from_bytes(mac[4:8], "big") == len(mac)
    assert mac[8:12] == b"ic07"


def test_a_bill_of_materials_names_every_part(script: Load) -> None:
    parts = [
        {"name": "numpy", "version": "2.0.1", "licence": "BSD-3-Clause", "kind": "package"},
        {"name": "zlib1g", "version": "1:1.2", "licence": "Zlib", "kind": "library"},
        {"name": "Inter", "version": "", "licence": "OFL-1.1", "kind": "typeface"},
    ]
    when = datetime(2026, 1, 2, tzinfo=UTC)
    bill = script("sbom").document({"segue": "1.2", "parts": parts}, when)
    assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["component"]["version"] == "1.2"
    rows = bill["components"]
    assert [row["name"] for row in rows] == ["numpy", "zlib1g", "Inter"]
    assert rows[0]["purl"] == "pkg:pypi/numpy@2.0.1"
    assert rows[1]["purl"] == "pkg:deb/debian/zlib1g@1%3A1.2" and "purl" not in rows[2]
    pattern = r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(pattern, bill["serialNumber"])
    json.dumps(bill)


# --- what the installers are made from ------------------------------------------------------------


def test_the_desktop_file_and_the_type_of_sessions_fit_together() -> None:
    from app.session.storage import SUFFIX

    desktop = configparser.ConfigParser(interpolation=None, strict=True)
    desktop.read(PACKAGING / "linux" / "segue.desktop", encoding="utf-8")
    entry = desktop["Desktop Entry"]
    assert entry["exec"] == "segue %f" and entry["icon"] == "segue"
    for name in ("categories", "keywords", "mimetype"):
        assert entry[name].endswith(";")
    tree = ET.parse(PACKAGING / "linux" / "segue-session.xml")
    space = {"m": "http://www.freedesktop.org/standards/shared-mime-info"}
    kind = tree.getroot().find("m:mime-type", space)
    assert kind is not None and entry["mimetype"] == f"{kind.get('type')};"
    glob = kind.find("m:glob", space)
    assert glob is not None and glob.get("pattern") == f"*{SUFFIX}"


def test_entitlements_and_microphone_words() -> None:
    with (PACKAGING / "macos" / "entitlements.plist").open("rb") as file:
        rights = plistlib.load(file)
    assert rights["com.apple.security.device.audio-input"] is True
    assert "com.apple.security.get-task-allow" not in rights  # would refuse to be notarised
    assert "NSMicrophoneUsageDescription" in (PACKAGING / "segue.spec").read_text(encoding="utf-8")


def test_the_windows_script_is_whole() -> None:
    text = (PACKAGING / "windows" / "segue.iss").read_text(encoding="utf-8")
    sections = re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)
    assert sections == ["Setup", "Files", "Icons", "Tasks", "Run", "UninstallDelete"]
    for key in ("AppId", "AppVersion", "DefaultDirName", "PrivilegesRequired", "LicenseFile"):
        assert re.search(rf"^{key}=\S", text, re.MULTILINE), key
    for name in re.findall(r'"\{app\}\\([\w-]+\.exe)"', text):
        assert name.removesuffix(".exe") in (PACKAGING / "segue.spec").read_text(encoding="utf-8")
    assert (PACKAGING / "windows" / re.findall(r"LicenseFile=(\S+)", text)[0].replace("\\", "/")
            ).resolve() == ROOT / "LICENSE"  # fmt: skip


def test_what_was_not_run_says_so() -> None:
    for name in ("windows/segue.iss", "windows/sign.ps1", "macos/build.sh"):
        assert "NOT RUN YET" in (PACKAGING / name).read_text(encoding="utf-8"), name


def test_workflows_cover_every_system_and_call_what_is_there() -> None:
    folder = ROOT / ".github" / "workflows"
    test = (folder / "test.yml").read_text(encoding="utf-8")
    release = (folder / "release.yml").read_text(encoding="utf-8")
    for system in ("ubuntu", "windows", "macos"):
        assert re.search(rf"os: \[.*{system}-\d", test), system
        assert release.count(f"os: {system}-") >= 2, "a bundle, and a try of the packed one"
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert 'python: ["3.11", "3.12", "3.13"]' in test
    named = re.findall(r"packaging[/\\][\w/\\.-]+\.\w+", test + release)
    assert len(set(named)) >= 6
    for name in named:
        assert (ROOT / name.replace("\\", "/")).is_file(), name
    for line in re.findall(r"uses: (\S+)", test + release):
        assert line.startswith("./") or re.search(r"@v\d+$", line), line


WITHOUT = """
import pathlib, sys, types
import numpy
sys.path[:0] = [{root!r}, {packaging!r}]
import contents

class LeftOut:
    def find_spec(self, name, path=None, target=None):
        if contents.within(name, (*contents.EXCLUDED, "ai_edge_litert", "flatbuffers")):
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

for name in [name for name in sys.modules if contents.within(name, contents.EXCLUDED)]:
    del sys.modules[name]  # what Python's own start has imported
sys.meta_path.insert(0, LeftOut())
for name in ("PySide6.QtOpenGL", "PySide6.QtOpenGLWidgets"):  # as packaging/hooks/first.py does
    sys.modules[name] = types.ModuleType(name)
sys.modules[name].QOpenGLWidget = type("QOpenGLWidget", (), {{}})

from models import Controls, open_engine
engine = open_engine("segue", "cpu")
block = engine.start(seed=1).render(Controls(style=engine.embed_text("piano")))
assert block.shape == (engine.info.block_frames, 2)
import app.window.main_window, app.playback, app.control.bridge, app.cli.soak
import models.magenta_rt2.engine
from models.magenta_rt2.musiccoca.model import MusicCoCa
style = MusicCoCa("magenta-rt2-small", pathlib.Path({magenta!r}))
vectors = [style.embed_text("piano"), style.embed_audio(numpy.ones(9000), 48_000)]
assert all(style.tokenize(vector).shape == (12,) for vector in vectors)
import huggingface_hub.file_download
print("played")
"""


def test_the_engines_play_and_are_prompted_without_what_is_left_out(tmp_path: Path) -> None:
    """What a bundle lacks is told here, in seconds, and not by a bundle after minutes."""
    data = ROOT / "tests" / "models" / "magenta_rt2"
    shutil.copytree(data / "tflite" / "data" / "float32", tmp_path / MUSICCOCA)
    shutil.copy(data / "data" / "musiccoca_spm.model", tmp_path / MUSICCOCA / "spm.model")
    code = WITHOUT.format(root=str(ROOT), packaging=str(PACKAGING), magenta=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.strip() == "played", done.stderr[-2000:]
