"""Record of the packages and libraries in a bundle and of their licences; called by the spec.

Every file in the bundle is traced to its origin: a Python package (by the package's list of files),
Python itself, a Debian package, the C runtime of Windows, or Segue. A file that cannot be traced
stops the build.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from contents import ROOT

sys.path.insert(0, str(ROOT))

from app.window.dialogs.components import BUNDLED, NOTICES, Part, licence_of

LICENCE_FILE: Final = re.compile(
    r"^(licen[cs]e|copying|notice|copyright|authors|unlicense)", re.IGNORECASE
)
LICENCE_TEXTS: Final = ROOT / "resources" / "licences" / "texts"

NATIVE_LIBRARIES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "soundfile": (
        ("libsndfile", "LGPL-2.1-or-later"),
        ("FLAC, Ogg, Vorbis, Opus (in libsndfile)", "BSD-3-Clause"),
        ("mpg123 (in libsndfile)", "LGPL-2.1-only"),
        ("LAME (in libsndfile)", "LGPL-2.0-or-later"),
    ),
    "soxr": (("libsoxr", "LGPL-2.1-or-later"),),
    "python-rtmidi": (("RtMidi", "MIT"), ("JACK client library", "LGPL-2.1-or-later")),
    "sounddevice": (("PortAudio", "MIT"),),
    "PySide6_Essentials": (("Qt", "LGPL-3.0-only"), ("ICU (for Qt)", "Unicode-3.0")),
    "torch": (
        ("oneDNN (in torch)", "Apache-2.0"),
        ("GNU OpenMP (with torch)", "GPL-3.0-or-later WITH GCC-exception-3.1"),
        ("oneMKL (in torch, on Intel)", "Intel Simplified Software License"),
    ),
    "numpy": (
        ("OpenBLAS (with numpy)", "BSD-3-Clause"),
        ("GNU Fortran (with numpy)", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    ),
    "sentencepiece": (
        ("Protocol Buffers (in sentencepiece)", "BSD-3-Clause"),
        ("Abseil (in sentencepiece)", "Apache-2.0"),
        ("darts-clone (in sentencepiece)", "BSD-2-Clause"),
        ("esaxx (in sentencepiece)", "MIT"),
    ),
    "tokenizers": (("Oniguruma (in tokenizers)", "BSD-2-Clause"),),
}
"""Native libraries inside Python packages, with their licences."""

KNOWN_LICENCES: Final = {
    "python-osc": "Unlicense",
    "PySide6_Essentials": "LGPL-3.0-only",
    "shiboken6": "LGPL-3.0-only",
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
    "pyinstaller-hooks-contrib": "Apache-2.0 (its run-time hooks)",
}
"""Licences of packages whose metadata does not name them."""

PYTHON_TEXT: Final = "LICENSE.txt"
WINDOWS_RUNTIME: Final = re.compile(r"^(vcruntime|msvcp|ucrtbase|concrt|vcomp|api-ms-win)", re.I)


@dataclass
class LicensedPart:
    """A part of the bundle with the texts of its licences."""

    part: Part
    texts: list[str] = field(default_factory=list)


class UnknownLicenceError(Exception):
    """A file or package whose licence is unknown."""


@cache
def owners() -> dict[Path, str]:
    """Names of the packages in this environment by their files."""
    table: dict[Path, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        for file in distribution.files or ():
            table[Path(str(distribution.locate_file(file))).resolve()] = name
    return table


def trace(sources: Iterable[str], table: dict[Path, str] | None = None) -> dict[str, list[Path]]:
    """Files by their origin: a package's name, 'Python', 'Segue', 'deb:NAME', 'Windows runtime'.

    Raises UnknownLicenceError.
    """
    table = owners() if table is None else table
    found: dict[str, list[Path]] = {}
    untraced = []
    for source in sorted(set(sources)):
        path = Path(source).resolve()
        owner = table.get(path) or _origin_outside_packages(path)
        if owner is None:
            untraced.append(str(path))
        else:
            found.setdefault(owner, []).append(path)
    if untraced:
        raise UnknownLicenceError(f"unknown licence of {', '.join(untraced[:8])}")
    return found


def _origin_outside_packages(path: Path) -> str | None:
    site = Path(sysconfig.get_paths()["purelib"]).resolve()
    if path.name == "base_library.zip" or path.parent.name == "localpycs":
        return "Python"  # made by PyInstaller from Python's own modules
    if WINDOWS_RUNTIME.match(path.name):
        return "Windows runtime"
    if path.is_relative_to(site):  # bytecode, or a file made on installation
        return _package_of_folder(path, site)
    if path.is_relative_to(ROOT):
        return "Segue"
    for prefix in (sys.base_prefix, sysconfig.get_paths()["stdlib"]):
        if path.is_relative_to(Path(prefix).resolve()) and prefix != "/usr":
            return "Python"
    return _debian(path)


def _package_of_folder(path: Path, site: Path) -> str | None:
    top = path.relative_to(site).parts[0].removesuffix(".py")
    names = metadata.packages_distributions().get(top, [])
    return names[0] if names else None


def _debian(path: Path) -> str | None:
    """The Debian package of a system file; with merged /usr its path may have either form."""
    for name in (str(path), str(path).removeprefix("/usr")):
        try:
            done = subprocess.run(
                ["dpkg-query", "-S", name], capture_output=True, text=True, check=False
            )
        except OSError:
            return None
        if done.returncode == 0:
            return "deb:" + done.stdout.split(":", 1)[0].split(",")[0]
    return None


def describe(owner: str) -> list[LicensedPart]:
    """The part of an origin, and the native libraries inside it."""
    if owner == "Segue":
        return []
    if owner == "Python":
        return [LicensedPart(Part("Python", sys.version.split()[0], "PSF-2.0"), [_python_text()])]
    if owner == "Windows runtime":
        licence = "Microsoft Visual C++ redistributable"
        return [LicensedPart(Part("Visual C++ runtime", "", licence, "library"))]
    if owner.startswith("deb:"):
        return [_debian_part(owner.removeprefix("deb:"))]
    distribution = metadata.distribution(owner)
    licence = KNOWN_LICENCES.get(owner) or licence_of(distribution.metadata)
    if not licence:
        raise UnknownLicenceError(f"{owner} names no licence: enter it in packaging/licences.py")
    package = LicensedPart(Part(owner, distribution.version, licence), _texts(distribution))
    inside = [
        LicensedPart(Part(name, "", text, "library"))
        for name, text in NATIVE_LIBRARIES.get(owner, ())
    ]
    return [package, *inside]


def _texts(distribution: metadata.Distribution) -> list[str]:
    texts = []
    for file in distribution.files or ():
        if file.suffix in (".py", ".pyc", ".so", ".h") or not LICENCE_FILE.match(file.name):
            continue
        path = Path(str(distribution.locate_file(file)))
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            if text and text not in texts:
                texts.append(text)
    return texts


def _python_text() -> str:
    places = [Path(sys.base_prefix), Path(sysconfig.get_paths()["stdlib"])]
    for place in places:
        for name in (PYTHON_TEXT, "LICENSE"):
            if (place / name).is_file():
                return (place / name).read_text(encoding="utf-8", errors="replace").strip()
    raise UnknownLicenceError(f"Python's {PYTHON_TEXT} is not in {places[0]}")


def _debian_part(name: str) -> LicensedPart:
    version = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True, check=True
    ).stdout
    path = Path("/usr/share/doc") / name / "copyright"
    if not path.is_file():
        raise UnknownLicenceError(f"the Debian package {name} has no copyright file")
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    named = sorted(set(re.findall(r"^License:\s*(\S.*)$", text, re.MULTILINE)))
    licence = ", ".join(named[:6]) or "see its notice"
    return LicensedPart(Part(name, version, licence, "library"), [text])


def collect(sources: Iterable[str]) -> list[LicensedPart]:
    """The parts of a bundle with these files, sorted by name. Raises UnknownLicenceError."""
    found = [one for owner in trace(sources) for one in describe(owner)]
    found += [LicensedPart(Part(name, "", licence, kind)) for name, licence, kind in OWN]
    unique = {one.part.name: one for one in found}
    return sorted(unique.values(), key=lambda one: one.part.name.lower())


OWN: Final = (
    ("Inter", "OFL-1.1", "typeface"),
    ("Segue icons", "Apache-2.0", "icons"),
    ("Segue weights (arranger, codec, renderer, style)", "Apache-2.0", "weights"),
    ("all-MiniLM-L6-v2", "Apache-2.0", "weights"),
    ("Basic Pitch", "Apache-2.0", "weights"),
    ("Fluid (R3) GM SoundFont (parts)", "MIT", "samples"),
    ("MuseScore General SoundFont (parts)", "MIT, parts CC0 or public domain", "samples"),
    ("Segue synthesisers and drum machines", "Apache-2.0", "samples"),
)
"""Parts from resources/ that are not code; segue.txt describes them."""


def write(found: Sequence[LicensedPart], folder: Path, version: str) -> None:
    """Write bundled.json and third-party.txt to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [asdict(one.part) for one in found]
    table = {"segue": version, "parts": parts}
    (folder / BUNDLED).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    rule = "=" * 88
    blocks = ["What comes along with Segue, and its licences\n" + rule]
    blocks.append("\n".join(f"{p['name']} {p['version']}: {p['licence']}" for p in parts))
    blocks.append(_own_text())
    for one in found:
        if one.texts:
            title = f"{one.part.name} {one.part.version}: {one.part.licence}"
            blocks.append(f"{rule}\n{title}\n{rule}\n\n" + "\n\n".join(one.texts))
    for path in sorted(LICENCE_TEXTS.glob("*.txt")):
        blocks.append(f"{rule}\n{path.stem}\n{rule}\n\n{path.read_text(encoding='utf-8').strip()}")
    (folder / NOTICES).write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _own_text() -> str:
    folders = ("weights", "instruments")
    texts = [ROOT / "resources" / folder / "ATTRIBUTION.md" for folder in folders]
    texts.append(ROOT / "resources/theme/OFL.txt")
    return "\n\n".join(path.read_text(encoding="utf-8").strip() for path in texts)
