"""Versions and licences of Segue and of everything that it contains.

A bundle lacks the packages' metadata, so packaging/licences.py writes `bundled.json` (names,
versions, licences) and `third-party.txt` (their notices). From sources the same is read from the
environment.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from models.errors import SegueError
from models.storage.json_types import JsonObject

ROOT: Final = Path(__file__).resolve().parents[3]
LICENCES: Final = ROOT / "resources" / "licences"
BUNDLED: Final = "bundled.json"
NOTICES: Final = "third-party.txt"
OWN: Final = "segue.txt"


@dataclass(frozen=True)
class Part:
    """Part of Segue. kind: package, library, typeface, icons, weights."""

    name: str
    version: str
    licence: str
    kind: str = "package"


def frozen() -> bool:
    """Whether this is the bundle."""
    return bool(getattr(sys, "frozen", False))


def _bundled() -> JsonObject | None:
    try:
        table = json.loads((LICENCES / BUNDLED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return table if isinstance(table, dict) else None


def _project() -> JsonObject:
    try:
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
    except (OSError, ValueError, KeyError) as error:
        raise SegueError("pyproject.toml is missing or damaged: get Segue's folder again.") from (
            error
        )
    return dict(project)


def version() -> str:
    """Version of Segue; 'unknown' where a bundle lacks its record."""
    table = _bundled()
    if table is not None:
        return str(table.get("segue", "unknown"))
    return "unknown" if frozen() else str(_project()["version"])


def needed_names() -> list[str]:
    """Names of the packages in pyproject.toml."""
    return [name_of(line) for line in _project()["dependencies"]]


def name_of(requirement: str) -> str:
    """'torch==2.13.0 ; python_version > "3"' -> 'torch'."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return found.group(0) if found else requirement


def licence_of(record: metadata.PackageMetadata) -> str:
    """Licence of a package in a few words; '' where it names none."""

    def field(name: str) -> str:
        return record[name] if name in record else ""  # noqa: SIM401 - the type has no `get`

    short = field("License-Expression")
    if not short:
        text = field("License").strip()
        short = text if text and "\n" not in text and len(text) < 80 else ""
    if not short:
        classes = record.get_all("Classifier") or []
        names = [c.rsplit("::", 1)[1].strip() for c in classes if c.startswith("License ::")]
        short = ", ".join(name for name in names if name != "OSI Approved")
    return short


def packages() -> list[Part]:
    """Installed Python packages with version and licence, by name."""
    table = _bundled()
    if table is not None:
        return [Part(**entry) for entry in table.get("parts", [])]
    found = []
    for name in needed_names():
        try:
            record = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            found.append(Part(name, "missing", ""))
        else:
            found.append(Part(name, record["Version"], licence_of(record)))
    return sorted(found, key=lambda part: part.name.lower())


def notices() -> str:
    """Licences as the About dialog shows them.

    In the bundle with every notice; from sources our own and the list of packages.
    """
    texts = []
    for name in (OWN, NOTICES):
        try:
            texts.append((LICENCES / name).read_text(encoding="utf-8").strip())
        except OSError:
            if name == OWN:
                texts.append(f"{LICENCES / name} is missing: get Segue's folder again.")
    if not (LICENCES / NOTICES).is_file():
        rows = [f"{p.name} {p.version}: {p.licence or 'see its own files'}" for p in packages()]
        texts.append("Python packages in this environment\n\n" + "\n".join(rows))
    return "\n\n".join(texts) + "\n"


def versions(*, sound: bool = True) -> list[tuple[str, str]]:
    """Names and versions for a bug report. Imports no torch.

    sound: ask PortAudio, which starts it in this process; not while the instrument plays.
    """
    rows = [
        ("segue", version() + (" (bundle)" if frozen() else " (sources)")),
        ("system", f"{platform.platform()}, {platform.machine()}"),
        ("python", platform.python_version()),
    ]
    rows += [(part.name, part.version) for part in packages() if part.kind == "package"]
    rows += [("Qt", _qt()), ("libsndfile", _sndfile()), ("RtMidi", _rtmidi())]
    if sound:
        rows.append(("PortAudio", _portaudio()))
    rows += _weights()
    return rows


def _qt() -> str:
    try:
        from PySide6.QtCore import qVersion

        return str(qVersion())
    except ImportError as error:
        return f"missing ({error})"


def _portaudio() -> str:
    from app.audio import devices

    try:
        return str(devices.portaudio().get_portaudio_version()[1])
    except SegueError:
        return "missing"


def _sndfile() -> str:
    try:
        import soundfile

        return str(soundfile.__libsndfile_version__)
    except (ImportError, OSError) as error:
        return f"missing ({error})"


def _rtmidi() -> str:
    try:
        import rtmidi

        names = [rtmidi.get_api_display_name(api) for api in rtmidi.get_compiled_api()]
        return f"{rtmidi.get_rtmidi_version()} ({', '.join(names)})"
    except ImportError as error:
        return f"missing ({error})"


def _weights() -> list[tuple[str, str]]:
    from models.storage.weights import read_manifest

    try:
        return [(f"weights {file.name}", file.sha256[:16]) for file in read_manifest()]
    except SegueError as error:
        return [("weights", str(error))]
