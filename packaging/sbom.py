"""Software bill of materials (SBOM) of a bundle, in CycloneDX JSON.

    python packaging/sbom.py BUNDLE OUT.cdx.json

Made from the bundle's `bundled.json`, the record of the packages and libraries in it. Format:
CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

KINDS: Final = {
    "package": "library",
    "library": "library",
    "weights": "machine-learning-model",
    "typeface": "file",
    "icons": "file",
    "samples": "file",
}


def component(part: Mapping[str, str]) -> dict[str, Any]:
    """One component; a package of PyPI or Debian has a package URL (purl)."""
    name, version = part["name"], part["version"]
    row: dict[str, Any] = {
        "type": KINDS[part["kind"]],
        "bom-ref": re.sub(r"[^A-Za-z0-9.+-]+", "-", f"{name}-{version}").strip("-"),
        "name": name,
    }
    if version:
        row["version"] = version
    if part["licence"]:
        row["licenses"] = [{"license": {"name": part["licence"]}}]
    if version and part["kind"] == "package" and name != "Python":
        row["purl"] = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{quote(version)}"
    elif version and part["kind"] == "library":
        row["purl"] = f"pkg:deb/debian/{quote(name)}@{quote(version)}"
    return row


def document(table: Mapping[str, Any], when: datetime) -> dict[str, Any]:
    """The SBOM of the contents of `bundled.json`."""
    serial = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
    uuid = f"{serial[:8]}-{serial[8:12]}-4{serial[13:16]}-8{serial[17:20]}-{serial[20:32]}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid}",
        "version": 1,
        "metadata": {
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": "segue",
                "name": "segue",
                "version": str(table["segue"]),
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": [component(part) for part in table["parts"]],
    }


def main(bundle: Path, out: Path) -> int:
    found = sorted(bundle.rglob("bundled.json"))
    if not found:
        print(f"segue: {bundle} holds no bundled.json: build it anew.", file=sys.stderr)
        return 2
    table = json.loads(found[0].read_text(encoding="utf-8"))
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document(table, datetime.now(UTC)), indent=1)
    out.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
