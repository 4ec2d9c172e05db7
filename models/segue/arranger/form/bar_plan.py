"""Plan of one bar: the form's section, and the active parts that the network chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.music.score import KITS, PARTS
from models.segue.arranger.form.form_plan import (
    THIN,
    FormPlan,
    choose_form,
    in_form,
    is_over,
    likely_forms,
    next_phrase,
    next_section,
    part_limits,
)
from models.segue.arranger.network import ACTIVES, STAY, ArrangerNet, StepPlace
from models.segue.arranger.sampling import Logits, SamplingParams, StepNoise, guided, pick
from models.segue.arranger.state import Form, Row
from models.segue.arranger.step_targets import StepTargets
from models.segue.arranger.step_writer import audible, available, part_flags
from models.segue.arranger.steps import SECTIONS, WIDTH, Setting, section_code

PATIENCE: Final = 2  # bars that a part may be away before it is pressed to come back
AS_PLANNED: Final = 2.0  # log-odds in favour of all the plan's parts, where a section begins
THIN_CODES: Final = frozenset(section_code(name) for name in THIN)
_BITS: Final = np.arange(ACTIVES)
_COUNTS: Final = sum((_BITS >> i) & 1 for i in range(len(PARTS)))


def plan_section(
    net: ArrangerNet,
    output: Tensor,
    condition: Tensor,
    before: StepPlace,
    plan: FormPlan,
    bar: int,
    bar_seconds: float,
    setting: Setting,
    targets: StepTargets,
    step_noise: StepNoise,
    seed: int,
    due: bool,
    leapt: bool,
) -> tuple[FormPlan, bool]:
    """The plan of the section that the coming bar belongs to, and whether it begins here.

    Args:
        net: the step network.
        output: (2, hidden) of the recurrence, as `ArrangerNet.logits_section` takes it.
        condition: (2, 128) of the coming step.
        before: inputs of the step before.
        plan: of the section that is playing.
        bar: bars since the section began, if it goes on.
        bar_seconds: length of a bar.
        setting: kit, instruments and metre.
        targets: of the controls.
        step_noise: of this step.
        seed: the stream's, which chooses among forms that suit equally well.
        due: the performer has requested the next section.
        leapt: the style is another than the form was chosen for.

    """
    goes_on = not due and not leapt and not is_over(plan, bar, targets.energy)
    if goes_on and not plan.begins_phrase(bar):
        return plan, False
    _, hidden = net.logits_section(output, condition, _squeeze(before))
    odds_of: dict[int, Logits] = {}

    def parts_of(code: int) -> Logits:
        if code not in odds_of:
            odds_of[code] = _log(_active_odds(net, hidden, 1 + code, None, targets.guidance))
        return odds_of[code]

    can = available(setting)
    unmuted = (can & audible(targets.mute)) or can
    favour: Callable[[int, int], float] = lambda code, bits: float(parts_of(code)[bits])  # noqa: E731
    if goes_on:
        return next_phrase(plan, unmuted, favour, step_noise.uniform), False
    if leapt or not plan.form:
        # As at the start of a stream, for a form is a choice for the whole of it.
        moment = _squeeze(before)
        fresh = moment._replace(
            section=torch.full_like(moment.section, SECTIONS.index("other")),
            section_bar=torch.zeros_like(moment.section_bar),
            active=torch.zeros_like(moment.active),
            change=torch.zeros_like(moment.change),
        )
        logits, start = net.logits_section(torch.zeros_like(output), condition, fresh)
        names = np.exp(_log(guided(logits.numpy(), targets.guidance))[1:])
        parts = np.stack(
            [
                _log(_active_odds(net, start, 1 + code, None, targets.guidance))
                for code in range(len(SECTIONS))
            ]
        )
        noise = np.random.default_rng([seed & 0xFFFFFFFF, 0xF0])
        odds = likely_forms(names, parts, unmuted, KITS[setting.kit])
        form = choose_form(odds, lambda: float(noise.random()))
        if form == plan.form and not due and not is_over(plan, bar, targets.energy):
            return plan, False
        plan = in_form(plan, form)
    return next_section(
        plan, unmuted, bar_seconds, targets.energy, favour, step_noise.uniform
    ), True


def plan_bar(
    net: ArrangerNet,
    output: Tensor,
    condition: Tensor,
    before: StepPlace,
    form: Form,
    plan: FormPlan,
    returned: Row | None,
    setting: Setting,
    targets: StepTargets,
    step_noise: StepNoise,
    entered: bool,
    keep: bool,
) -> Form:
    """The form with the active parts of the bar that begins now.

    Args:
        net: the step network.
        output: (2, hidden) of the recurrence.
        condition: (2, 128) of this step.
        before: inputs of the step before.
        form: before this bar.
        plan: of the section.
        returned: the row at this place of the section's earlier occurrence.
        setting: kit, instruments and metre.
        targets: of the controls.
        step_noise: of this step.
        entered: the section begins here.
        keep: the bar has begun before; only its players have changed.

    A part must have an instrument and be among the plan's; at least one that is not muted plays.

    """
    _, hidden = net.logits_section(output, condition, _squeeze(before))
    code = 1 + form.section if entered else STAY
    odds = _active_odds(net, hidden, code, returned, targets.guidance)
    can = available(setting)
    # Where a planned player has left within the bar, all who came may fill what is left of it.
    planned = can if keep and plan.parts & ~can else (plan.parts & can) or can
    if not planned & audible(targets.mute):
        planned = can
    unmuted = planned & audible(targets.mute)
    barred = (_BITS & ~planned) != 0
    barred |= (_BITS & unmuted) == 0 if unmuted else (_BITS == 0) & bool(can)
    least, most = part_limits(targets.energy)
    if targets.energy is not None:
        # Energy may bring in players whom the section leaves out.
        pool = can & audible(targets.mute)
        if least > bin(unmuted).count("1"):
            barred = ((_BITS & ~can) != 0) | ((_BITS & pool) == 0)
        count = sum((_BITS & pool) >> i & 1 for i in range(len(PARTS)))
        barred |= count < min(least, bin(pool).count("1"))
        barred |= count > most
    if plan.begins_phrase(form.bar):
        # The plan's parts were drawn by these odds already: drawn again, they would thin out.
        odds = odds + np.where(_BITS & planned == planned, AS_PLANNED, 0.0).astype(np.float32)
    odds = np.where(barred, -np.inf, odds + _pressure(form, unmuted, targets.density))
    active = (
        pick(odds, step_noise.gumbel(ACTIVES), SamplingParams(0.9, 0.97, 0.0))
        if not barred.all()
        else 0
    )
    return (
        replace(form, active=active) if keep else form.sounded(active, form.section in THIN_CODES)
    )


def _active_odds(
    net: ArrangerNet, hidden: Tensor, code: int, returned: Row | None, guidance: float
) -> Logits:
    flags = [0.0] * (len(PARTS) + 1)
    if returned is not None:
        flags = [*part_flags(int(returned[WIDTH])), 1.0]
    logits = net.logits_active(
        hidden, torch.full((2,), code), torch.tensor(flags).expand(2, -1)
    ).numpy()
    return guided(logits, guidance)


def _log(odds: Logits) -> Logits:
    """Normalised log-odds."""
    return np.asarray(odds - np.logaddexp.reduce(odds), np.float32)


def _pressure(form: Form, unmuted: int, density: tuple[float, float]) -> Logits:
    """(ACTIVES,) log-odds in favour of the parts of `unmuted` that have been away for long.

    A composed song may begin with half a minute of pads; on a stage the drums of
    a genre are expected sooner. Low density means few players, so there the pressure eases.
    """
    quantile, known = density
    ease = min(1.0, quantile / 0.4) if known else 1.0
    total = np.zeros(ACTIVES, np.float32)
    for part, bars in enumerate(form.missed):
        if unmuted >> part & 1:
            weight = 2.5 if part == 0 else 0.5
            push = ease * weight * min(max(bars - PATIENCE, 0), 6)
            total += np.float32(push) * (_BITS >> part & 1)
    return total


def _squeeze(moment: StepPlace) -> StepPlace:
    return StepPlace(*(value[:, 0] for value in moment))
