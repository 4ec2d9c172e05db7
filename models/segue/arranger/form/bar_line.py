"""What happens at a bar line: the section may change, a theme is kept, the bar is planned."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from models.segue.arranger.clock import Tick
from models.segue.arranger.conditions import NEW_STYLE, style_distance
from models.segue.arranger.form.bar_plan import plan_bar, plan_section
from models.segue.arranger.form.form_plan import MAX_BARS
from models.segue.arranger.form.themes import THEME_BARS, add_theme, find
from models.segue.arranger.network import ArrangerNet
from models.segue.arranger.parts.hold import held_parts
from models.segue.arranger.parts.sketches import sketched_bits
from models.segue.arranger.sampling import StepNoise
from models.segue.arranger.state import State
from models.segue.arranger.step_targets import StepPosition, StepTargets
from models.segue.arranger.step_writer import step_place
from models.segue.arranger.steps import Setting, section_code


def with_bar_plan(
    net: ArrangerNet,
    state: State,
    condition: Tensor,
    place: StepPosition,
    tick: Tick,
    setting: Setting,
    targets: StepTargets,
    step_noise: StepNoise,
    identity: bytes,
) -> State:
    """The state with the plan of the bar that begins, or of the rest of this one."""
    keep = not tick.on_bar
    before = step_place(place, state.form, setting, targets.density)
    form, plan, bar = state.form, state.plan, setting.steps_per_bar
    entered = False
    if not keep or not plan.place:
        leapt = style_distance(identity, state.plan_style) > NEW_STYLE
        if leapt or not plan.place:
            # Another music has themes of its own.
            state = state.with_(plan_style=identity, themes=())
        plan, entered = plan_section(
            net, state.output, condition, before, plan, form.bar + 1,
            tick.length * bar, setting, targets, step_noise, state.seed, state.due, leapt,
        )  # fmt: skip
    if entered:
        end = min(place.step, form.start + THEME_BARS * bar)
        rows = [
            row
            for index in range(max(form.start, state.floor), end)
            if (row := state.history.get(index)) is not None
        ]
        if form.start >= state.style_step:
            state = state.with_(themes=add_theme(state.themes, form.section, bar, rows))
        state = state.with_(due=False, patterns=state.patterns.in_section())
        form = form.enter(section_code(plan.name), place.step)
    elif not keep:
        form = replace(form, bar=form.bar + 1)
    theme = find(state.themes, form.section, bar) if plan.again else None
    back = form.returns(place.step)
    returned = state.history.get(back) if back >= place.floor else None
    if theme is not None:
        returned = theme.row(place.step - form.start)
    form = plan_bar(
        net, state.output, condition, before, form, plan, returned, setting, targets,
        step_noise, entered, keep,
    )  # fmt: skip
    sketched = sketched_bits(state, tick)
    if (
        plan.fill
        and not keep
        and form.active & ~(state.patterns.held | held_parts(state) | sketched) & 1
        and form.bar == plan.bars - 1
    ):
        length = setting.steps_per_beat * (2 if plan.bars >= MAX_BARS else 1)
        state = state.with_(fill=(place.step + bar - length, place.step + bar))
    return state.with_(form=form, plan=plan)
