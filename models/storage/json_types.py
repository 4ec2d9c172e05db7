"""Types of JSON: what a file may hold, and an object read from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A value that can be written as JSON."""
JsonObject: TypeAlias = dict[str, Any]
"""An object read from JSON, or figures to be written: what is in it is known to its reader only."""
