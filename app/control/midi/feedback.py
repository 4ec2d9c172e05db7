"""Feedback to a controller: LEDs, encoder rings and motor faders, without feedback loops.

Loops are cut in three places. A control that was just moved gets no feedback until it rests
(`TOUCH_SECONDS`). Positions that a motor fader reports while it drives to its target
(`MOTOR_SECONDS`) are not moves, unless they go away from the target. No message is sent twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.control.midi.mapping import Feedback
from app.control.midi.message import Message

TOUCH_SECONDS: Final = 0.3
"""Seconds after the last move before its control gets feedback again."""
MOTOR_SECONDS: Final = 0.5
"""Longest time in seconds that a motor fader takes to reach its target."""


def message_for(feedback: Feedback, position: float, led: float) -> Message | None:
    """Message that shows a value: `position` 0..1 of the control, `led` 0, 0.5 (dim) or 1."""
    if feedback.message == "none":
        return None
    if feedback.style == "state":
        value = feedback.on if led > 0.75 else feedback.dim if led > 0.25 else feedback.off
    else:
        value = feedback.low + round(position * (feedback.high - feedback.low))
    if feedback.message == "bend":
        # The full range, in the 14 bits of a motor fader.
        return Message("bend", feedback.channel, 0, round(position * 16383))
    kind = feedback.message
    if kind == "note":
        return Message("note_on", feedback.channel, feedback.number, value)
    return Message("cc", feedback.channel, feedback.number, value)


@dataclass
class FeedbackState:
    """Feedback last sent to one control, and its last moves, to tell moves from motor positions."""

    sent: Message | None = None
    sent_at: float = -1e9
    position: float = 0.0
    touched_at: float = -1e9
    motor_position: float | None = None

    def is_untouched(self, now: float) -> bool:
        """Whether the control has not been moved for a while."""
        return now - self.touched_at >= TOUCH_SECONDS

    def should_send(self, message: Message, position: float, now: float) -> bool:
        """Whether a message is to be sent; it then counts as sent."""
        if message == self.sent:
            return False
        self.sent, self.sent_at, self.position, self.motor_position = message, now, position, None
        return True

    def forget(self) -> None:
        """The controller has lost its state (unplugged)."""
        self.sent = None
        self.sent_at = -1e9

    def is_motor(self, position: float, now: float) -> bool:
        """Whether a move to `position` is a motor fader on its way to its target.

        A motor only comes nearer to its target; a move away from it is the performer's.
        """
        if now - self.sent_at > MOTOR_SECONDS:
            return False
        before = self.motor_position
        off = abs(position - self.position)
        if before is not None and off > abs(before - self.position) + 2 / 127:
            return False
        self.motor_position = position
        return True

    def touch(self, now: float) -> None:
        """The performer has moved the control, which no longer shows what was sent."""
        self.touched_at = now
        self.sent = None
