"""Controls that take effect at once or with the next bar, and what a change of prompts keeps."""

from __future__ import annotations

from models.engine.controls import Controls
from models.music.score import MODE_NAMES, parse_key
from models.segue.arranger.state import State
from models.segue.arranger.steps import Setting


def arrived_controls(state: State, controls: Controls) -> Controls:
    """The controls with the tempo and key that act now: a change may wait for the next bar."""
    if controls.change_at == "now" or state.asked is None or state.clock.on_bar:
        return controls
    if state.asked == (controls.bpm, controls.key):
        return controls
    return controls.with_(bpm=state.asked[0], key=state.asked[1])


def base_of(state: State) -> Setting | None:
    """The setting whose tempo, metre and mode stay; None before the first style.

    A snapshot that an older version saved has none, but the setting that it was playing in.
    """
    if state.base is None and state.style:
        return state.setting
    return state.base


def latch_triggers(state: State, controls: Controls) -> State:
    """The state with rising edges of the trigger controls stored until a step answers them."""
    before = state.triggers
    return state.with_(
        due=state.due or (controls.next_section and not before[1]),
        fill_due=state.fill_due or (controls.fill and not before[0]),
        triggers=(controls.fill, controls.next_section),
        patterns=state.patterns.latched(controls),
    )


def key_of(state: State, controls: Controls) -> tuple[int, str]:
    """Tonic and mode of the current key."""
    if controls.key is not None and controls.strength_of("key") >= 0.5:
        return parse_key(controls.key)
    mode = state.setting.mode if state.setting else 0
    return state.tonic, MODE_NAMES[mode]


def rekeyed(state: State, controls: Controls, now: float) -> State:
    """The state after what sounds in the old key, or does not belong to newly held keys, ended."""
    key = key_of(state, controls)
    if state.ticks and key[0] != state.key[0]:
        return state.with_(voices=state.voices.cut(now), key=key)
    if state.ticks and controls.notes and controls.notes != state.notes:
        return state.with_(voices=state.voices.cut(now))
    return state.with_(key=key)
