"""Document of a session: immutable data, and its JSON form.

Version 2 of the format:

    {"format": "segue-session", "version": 2, "seed": 7,
     "prompts": [{"text": "flute", "colour": 2}, {"audio": "/path/loop.wav", "text": "loop"}],
     "values": {"tempo": 124.0, "key": null, "prompt.1.weight": 0.8, ...},
     "scenes": [null, {"name": "Drop", "prompts": [...], "values": {...},
                       "moment": "moment-1f0c…"}, ...],
     "moments": "drop.moments.safetensors"}

A value of null is auto. Names in `values` are those of the parameter registry. `moments` names the
file beside it with the moments of the scenes; version 1 had none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from app.parameters.catalogue import SESSION_PATTERNS, matches
from app.parameters.instrument_parameters import PROMPTS, SCENES
from app.parameters.parameter import Value
from app.parameters.registry import Registry
from models.errors import SegueError
from models.storage.json_types import JsonObject

FORMAT: Final = "segue-session"
VERSION: Final = 2
MAX_TEXT: Final = 1000


@dataclass(frozen=True)
class SessionPrompt:
    """Prompt: a text, or an audio file (`text` is then the name to show)."""

    text: str = ""
    audio: str | None = None
    colour: int = 0

    @property
    def style_key(self) -> str:
        """Key of its style; '' for an empty prompt."""
        if self.audio is not None:
            return f"audio:{self.audio}"
        words = " ".join(self.text.split())
        return f"text:{words.casefold()}" if words else ""


def _frozen(values: Mapping[str, Value]) -> Mapping[str, Value]:
    return MappingProxyType(dict(values))


@dataclass(frozen=True)
class Scene:
    """Saved set of prompts and values. moment: key of its moment in `Session.moments`, if any."""

    name: str = ""
    prompts: tuple[SessionPrompt, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    moment: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _frozen(self.values))


@dataclass(frozen=True)
class Document:
    """Whole state of a session."""

    prompts: tuple[SessionPrompt, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    scenes: tuple[Scene | None, ...] = (None,) * SCENES
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _frozen(self.values))

    @property
    def moments(self) -> frozenset[str]:
        """Keys of the moments of its scenes."""
        return frozenset(s.moment for s in self.scenes if s is not None and s.moment is not None)


def scene_title(
    prompts: Sequence[SessionPrompt], shares: Sequence[float], scenes: Sequence[Scene | None]
) -> str:
    """Unique name for a new scene: that of the prompt with the largest share, with a number."""
    audible = bool(shares) and max(shares) > 0.0
    title = prompts[shares.index(max(shares))].text[:24] if audible else ""
    title = title or "Scene"
    names = {scene.name for scene in scenes if scene is not None}
    free = (f"{title} {n}" if n > 1 else title for n in range(1, len(scenes) + 2))
    return next(name for name in free if name not in names)


# -- to JSON -----------------------------------------------------------------------------------
def to_json(document: Document) -> JsonObject:
    """JSON form of a session."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "seed": document.seed,
        "prompts": [_prompt_json(prompt) for prompt in document.prompts],
        "values": _values_json(document.values, len(document.prompts)),
        "scenes": [None if scene is None else _scene_json(scene) for scene in document.scenes],
    }


def _values_json(values: Mapping[str, Value], count: int) -> dict[str, Value]:
    """Values without those of absent strips; floats short enough to read."""
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in values.items()
        if not (name.startswith("prompt.") and int(name.split(".")[1]) > count)
    }


def _prompt_json(prompt: SessionPrompt) -> JsonObject:
    data: JsonObject = {"text": prompt.text, "colour": prompt.colour}
    if prompt.audio is not None:
        data["audio"] = prompt.audio
    return data


def _scene_json(scene: Scene) -> JsonObject:
    return {
        "name": scene.name,
        "prompts": [_prompt_json(prompt) for prompt in scene.prompts],
        "values": _values_json(scene.values, len(scene.prompts)),
        **({} if scene.moment is None else {"moment": scene.moment}),
    }


# -- from JSON ---------------------------------------------------------------------------------
def from_json(data: object, registry: Registry) -> Document:
    """Session from its JSON form. SegueError names the place that is damaged.

    Values are checked against the registry's parameters and clamped to their ranges; unknown names
    are left out.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise SegueError("This is no Segue session; open a file that Segue has saved.")
    version = data.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise SegueError("The session does not say its version; open another copy of it.")
    if version > VERSION:
        raise SegueError(
            f"The session was saved by a newer Segue (format {version}, this one reads {VERSION}); "
            "update Segue to open it."
        )
    scenes = _list(data, "scenes", SCENES)
    padded = [*scenes, *[None] * (SCENES - len(scenes))]
    return Document(
        prompts=_read_prompts(data, ""),
        values=_read_values(data, registry, ""),
        scenes=tuple(_read_scene(item, registry, n) for n, item in enumerate(padded, 1)),
        seed=_read_int(data.get("seed", 0), "seed"),
    )


def _list(data: JsonObject, name: str, limit: int, where: str = "") -> list[object]:
    items = data.get(name, [])
    if not isinstance(items, list):
        raise SegueError(f"In the session, '{where}{name}' is no list; open another copy of it.")
    if len(items) > limit:
        raise SegueError(f"The session has {len(items)} {name} where {limit} is the most.")
    return items


def _read_int(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SegueError(f"In the session, '{where}' is no whole number; open another copy of it.")
    return value


def _read_prompts(data: JsonObject, where: str) -> tuple[SessionPrompt, ...]:
    prompts = []
    for n, item in enumerate(_list(data, "prompts", PROMPTS, where), 1):
        place = f"{where}prompt {n}"
        if not isinstance(item, dict):
            raise SegueError(f"In the session, {place} is damaged; open another copy of it.")
        text, audio = item.get("text", ""), item.get("audio")
        if not isinstance(text, str) or not isinstance(audio, str | None):
            raise SegueError(f"In the session, the text of {place} is no text; open another copy.")
        colour = _read_int(item.get("colour", n - 1), f"{place} colour")
        prompts.append(SessionPrompt(text[:MAX_TEXT], audio or None, colour % PROMPTS))
    return tuple(prompts)


def _read_values(data: JsonObject, registry: Registry, where: str) -> dict[str, Value]:
    raw = data.get("values", {})
    if not isinstance(raw, dict):
        raise SegueError(f"In the session, '{where}values' is damaged; open another copy of it.")
    values: dict[str, Value] = {}
    for name, value in raw.items():
        if name not in registry or not matches(name, SESSION_PATTERNS):
            continue
        if isinstance(value, list | dict):
            raise SegueError(f"In the session, '{where}{name}' is no value; open another copy.")
        try:
            values[name] = registry.whole(name).accept(value)
        except SegueError as error:
            raise SegueError(f"In the session, {where or ''}{error}") from None
    return values


def _read_scene(item: object, registry: Registry, n: int) -> Scene | None:
    if item is None:
        return None
    where = f"scene {n}: "
    if not isinstance(item, dict) or not isinstance(item.get("name", ""), str):
        raise SegueError(f"In the session, scene {n} is damaged; open another copy of it.")
    return Scene(
        name=item.get("name", "")[:MAX_TEXT],
        prompts=_read_prompts(item, where),
        values=_read_values(item, registry, where),
        moment=_read_moment(item, where),
    )


def _read_moment(item: JsonObject, where: str) -> str | None:
    key = item.get("moment")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= 100):
        raise SegueError(f"In the session, '{where}moment' is no name; open another copy of it.")
    return key
