"""Style space for text and audio: terms, anchors, text encoder, audio tower.

`StyleModel` is imported lazily, so that `terms` and `anchors` import no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.segue.style.model import StyleModel

__all__ = ["StyleModel"]


def __getattr__(name: str) -> object:
    if name == "StyleModel":
        from models.segue.style.model import StyleModel

        return StyleModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
