"""Licence terms of the released weights, and the record that the user has accepted them."""

from __future__ import annotations

import datetime
import json
from typing import Final

from models.errors import SegueError
from models.magenta_rt2.checkpoint.files import models_folder

LICENCE: Final = "CC-BY-4.0"
URL: Final = "https://creativecommons.org/licenses/by/4.0/legalcode"
TEXT: Final = f"""\
Magenta RealTime 2 is by Google DeepMind (2026). Its weights are offered under the Creative Commons
Attribution 4.0 International licence ({LICENCE}): you may use, share and change them, also
commercially, if you name their makers, link the licence and say what you changed.
  {URL}
Google asks besides that nobody makes with them what infringes or violates the rights of others,
copyright included; claims no rights in what you make; gives no warranty; and leaves you responsible
for what you make and how you use it. The full terms: https://huggingface.co/google/magenta-realtime-2
"""
_FILE: Final = "terms.json"


def accepted() -> bool:
    """Whether the user accepted the terms on this machine."""
    try:
        table = json.loads((models_folder() / _FILE).read_text(encoding="utf-8"))
        return bool(table["magenta-rt2"]["licence"] == LICENCE)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def accept() -> None:
    """Record that the user accepted them. SegueError where the folder cannot be written."""
    place = models_folder()
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    content = {"magenta-rt2": {"licence": LICENCE, "address": URL, "accepted": now}}
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / _FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SegueError(f"{place} cannot be written ({error.strerror or error}).") from None
