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
"""Seconds after the last move of a hand before its control is told anything."""
MOTOR_SECONDS: Final = 0.5
"""Seconds that a motor fader may take to get where it was sent."""


def message_for(feedback: Feedback, position: float, led: float) -> Message | None:
    """What shows a value: `position` 0..1 on the control's own way, `led` 0, 0.5 (dim) or 1."""
    if feedback.message == "none":
        return None
    if feedback.style == "state":
        value = feedback.on if led > 0.75 else feedback.dim if led > 0.25 else feedback.off
    else:
        value = feedback.low + round(position * (feedback.high - feedback.low))
    if feedback.message == "bend":
        # The whole of the way, in the 14 bits that a motor fader has.
        return Message("bend", feedback.channel, 0, round(position * 16383))
    kind = feedback.message
    if kind == "note":
        return Message("note_on", feedback.channel, feedback.number, value)
    return Message("cc", feedback.channel, feedback.number, value)


@dataclass
class FeedbackState:
    """What one control was told and what it said, to tell a hand from a motor."""

    sent: Message | None = None
    sent_at: float = -1e9
    position: float = 0.0
    touched_at: float = -1e9
    motor_position: float | None = None

    def is_untouched(self, now: float) -> bool:
        """Whether no hand is on the control."""
        return now - self.touched_at >= TOUCH_SECONDS

    def should_send(
        self, message: Message, position: float, now: float, *, again: bool = False
    ) -> bool:
        """Whether the message is to be sent; it then counts as sent."""
        if message == self.sent and not again:
            return False
        self.sent, self.sent_at, self.position, self.motor_position = message, now, position, None
        return True

    def forget(self) -> None:
        """The controller has lost what it was told (unplugged)."""
        self.sent = None
        self.sent_at = -1e9

    def is_motor(self, position: float, now: float) -> bool:
        """Whether a move to `position` is the motor on its way to where it was sent.

        A motor only comes nearer; a hand that pulls it away from its goal is heard at once.
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
        """A hand has moved the control: what it shows is where it is, not what was sent."""
        self.touched_at = now
        self.sent = None
