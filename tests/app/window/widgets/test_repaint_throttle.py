"""Repaint throttle: order and rate of repaints, and the final picture of the strips."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.window.prompts.strip import PromptStrip
from app.window.widgets.repaint_throttle import INTERVAL_MS, MIN_REPAINT_SECONDS, RepaintThrottle
from tests.support.rig import Rig


class Painted:
    """Widget that records its repaints."""

    def __init__(self, name: str, repaints: list[str]) -> None:
        self.name, self.repaints = name, repaints

    def refresh(self) -> None:
        self.repaints.append(self.name)


def test_each_has_its_turn_and_its_rest(qtbot: QtBot) -> None:
    now, repaints = [10.0], list[str]()
    throttle = RepaintThrottle(clock=lambda: now[0])
    a, b = Painted("a", repaints), Painted("b", repaints)
    for widget in (a, b, a, a):
        throttle.request(widget)
    throttle.tick()
    assert repaints == ["a"]
    throttle.request(a)  # has just been painted: b is before it
    for _ in range(3):
        now[0] += INTERVAL_MS / 1000.0
        throttle.tick()
    assert repaints == ["a", "b"]
    now[0] += MIN_REPAINT_SECONDS
    throttle.tick()
    assert repaints == ["a", "b", "a"]
    throttle.stop()


def test_it_rests_when_nothing_waits_and_ends_with_the_window(qtbot: QtBot) -> None:
    repaints: list[str] = []
    throttle = RepaintThrottle()
    throttle.request(Painted("a", repaints))
    qtbot.waitUntil(lambda: repaints == ["a"], timeout=2000)
    assert not throttle._timer.isActive()
    throttle.stop()
    throttle.request(Painted("b", repaints))
    throttle.tick()
    assert repaints == ["a"] and not throttle._timer.isActive()


def seen(rig: Rig, strip: PromptStrip) -> NDArray[np.int16]:
    """Pixels (h, w, 3) of the window where the strip is."""
    shot = rig.window.screen().grabWindow(rig.window.winId()).toImage()
    corner = strip.mapTo(rig.window, strip.rect().topLeft())
    return pixels(shot.copy(QRect(corner, strip.size())))


def pixels(image: QImage) -> NDArray[np.int16]:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)
    return flat[:, : image.width(), :3].astype(np.int16)


@pytest.mark.parametrize("way", [(0.9, 0.02), (0.0, 0.61), (0.3, 1.0, 0.0), (0.5, 0.505, 0.51)])
def test_a_swept_fader_leaves_the_picture_that_painting_all_anew_would(
    rig: Rig, qtbot: QtBot, way: tuple[float, ...]
) -> None:
    throttle = rig.window.mixer.throttle
    for n in (2, 3):
        rig.registry.set(f"prompt.{n}.weight", 0.4)
    for target in way:
        start = rig.registry.get_unit("prompt.1.weight")
        for step in range(1, 9):
            unit = start + (target - start) * step / 8
            rig.registry.set_unit("prompt.1.weight", unit, "midi")
            rig.window.live.flush()
            qtbot.wait(10)
    qtbot.waitUntil(lambda: not throttle._pending, timeout=3000)
    qtbot.wait(30)
    for strip in rig.window.mixer.strips[: len(rig.session.prompts)]:
        painted = seen(rig, strip)
        strip.update()
        qtbot.wait(30)
        anew = seen(rig, strip)
        assert painted.std() > 1.0, "nothing is on the screen"
        assert np.abs(painted - anew).max() <= 2, f"strip {strip.n} shows what is no longer so"
