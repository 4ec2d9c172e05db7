"""The whole instrument in a process of its own, to be killed: `python -m tests.support.instrument`.

The real window (offscreen), worker, capture thread and audio process, with the tone engine,
playing into nothing and recording, with a scene saved with its moment. Prints the position heard,
twenty times a second.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def main(recording: str) -> int:
    """Play until somebody ends the process."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    import app.window.application
    from app.window.main_window import MainWindow
    from tests.support.tone_engine import register_tone_engine

    register_tone_engine("tone", block_seconds=0.24)
    application = QApplication(["segue"])
    windows: list[MainWindow] = []
    start: list[int] = []

    def look() -> None:
        if not windows:
            windows.extend(w for w in application.topLevelWidgets() if isinstance(w, MainWindow))
            if windows:
                windows[0].registry.set("transport.play", True)
                windows[0].session.prompts.add("Kora")
                windows[0].files.tick()
            return
        output: Any = windows[0].playback.output
        if not start and output.status().gain >= 1.0:
            start.append(output.tap.end)
            windows[0].playback.capture.record(Path(recording))
            windows[0].registry.set("scene.with_moment", True)
            windows[0].registry.trigger("scene.1.save")
        if start and windows[0].session.moments:
            windows[0].files.tick()
            print(output.tap.end - start[0], flush=True)

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    return app.window.application.run(engine="tone")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
