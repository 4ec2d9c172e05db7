"""Writer of a performance file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from app.performance.file import CONTROL_KEYS
from app.performance.json_values import plain_value, prompt_value
from app.performance.recorded_input import (
    same_style,
    style_text,
)
from models.engine.controls import Controls
from models.engine.hearing import HeardPlace
from models.engine.prompts import Prompt


class PerformanceWriter:
    """Writer of a performance file; lines hold only what changed. Not thread-safe.

    OSError (a full disk) leaves whole lines behind.
    """

    def __init__(
        self, path: Path, engine: str, seed: int, weights: str | None = None,
        input: str | None = None,
    ) -> None:  # fmt: skip
        """input: file of what is played in, where that is recorded."""
        self.path, self._with_input = path, input is not None
        self._header: dict[str, object] = {"engine": engine, "seed": seed}
        if weights:
            self._header["weights"] = weights
        if input:
            self._header["input"] = input
        self._last = Controls()
        self._prompts: tuple[Prompt, ...] = ()
        self._file = path.open("x", encoding="utf-8")

    def record(
        self,
        t: float,
        controls: Controls,
        prompts: Sequence[Prompt] = (),
        *,
        clear: bool = False,
        moment: float | None = None,
        continue_from: str | None = None,
        end: bool = False,
        heard: HeardPlace | None = None,
    ) -> None:
        """Write the changes at `t` seconds, the start of a block, if there are any.

        The style itself is not written, as it follows from the prompts; but with an input, which
        may be in it.
        """
        line: dict[str, object] = {"t": round(t, 6), **self._header}
        if tuple(prompts) != self._prompts:
            line["prompts"] = [prompt_value(prompt) for prompt in prompts]
        for name in CONTROL_KEYS:
            value = getattr(controls, name)
            if value != getattr(self._last, name):
                line[name] = plain_value(value)
        style = controls.style
        if self._with_input and style is not None and not same_style(style, self._last.style):
            line["style"] = style_text(style)
        flags: dict[str, object] = {
            "clear": clear or None,
            "moment": moment,
            "continue_from": continue_from,
            "end": end or None,
            "heard": None if heard is None else list(heard),
        }
        line.update({name: value for name, value in flags.items() if value is not None})
        if len(line) == 1:
            return
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
        self._last, self._prompts, self._header = controls, tuple(prompts), {}

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> PerformanceWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
