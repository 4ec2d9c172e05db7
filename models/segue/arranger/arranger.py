"""The arranger: writes what happens next, in time with the music. Inference lane; needs torch.

It plans a bar (section and parts), writes a step at a time in musical time, and gives the score of
the next 40 ms frames. It is Lyria RealTime's self-conditioning made explicit (Live Music Models,
section 4): p(audio, controls) = p(audio | controls) p(controls). It always runs on the CPU: a step
is a few small products, which a GPU would only make slower.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.engine.controls import Controls
from models.errors import SegueError
from models.music.score import FRAME_SECONDS, KITS, MODE_NAMES, FrameScore, parse_key
from models.segue.arranger.arrival import arrived, base_of, latched
from models.segue.arranger.bar_plan import plan_bar, plan_section
from models.segue.arranger.block_score import ArrangerInfo, frames_of, info_of
from models.segue.arranger.clock import Tick, glide
from models.segue.arranger.fills import fill_levels, fill_span
from models.segue.arranger.form_plan import MOST_BARS, fullness
from models.segue.arranger.held_keys import Held, held_harmony
from models.segue.arranger.network import ArrangerConfig, ArrangerNet, StepCondition
from models.segue.arranger.sampling import SamplingParams, StepNoise
from models.segue.arranger.setting import SettingNet, SettingNoise, choose_setting
from models.segue.arranger.state import State
from models.segue.arranger.step_writer import (
    StepPosition,
    StepTargets,
    advance,
    audible,
    decode_step,
    drummed,
    groove,
    moment_of,
    sources,
)
from models.segue.arranger.steps import SYMBOL, WIDTH, Setting, onsets, section_code, sounding
from models.segue.arranger.themes import THEME_BARS, find, keep_theme, recall
from models.segue.arranger.tonal_balance import NO_WEIGHTS, follow, pull, sounding_notes
from models.segue.arranger.voices import play_row
from models.storage.weights import WEIGHTS

GUIDANCE: Final = 1.25  # where the control is left at auto
GUIDANCE_RANGE: Final = (0.0, 3.0)  # nothing changes any more beyond it
NEW_STYLE: Final = 0.4  # distance of two styles from which the music counts as changed
MEMORY: Final = 1.5  # seconds over which the density that was written is measured
QUIET: Final = 0.8  # seconds without an onset after which the next one becomes ever more likely

Style = NDArray[np.float32]


ARRANGER_CONTROLS: Final = frozenset(
    {"style", "bpm", "key", "density", "brightness", "mute", "notes", "guidance", "chaos",
     "energy", "follow_prompts", "change_at", "fill", "next_section", "strength"}
)  # fmt: skip
"""Controls of an engine whose score the arranger writes."""


class Arranger:
    """Stateless but for its weights: `block` takes a state and returns the next one."""

    def __init__(
        self, net: ArrangerNet, setting_net: SettingNet, quantiles: NDArray[np.float32]
    ) -> None:
        self.net = net.eval().requires_grad_(False)
        self.setting_net = setting_net.eval().requires_grad_(False)
        self.quantiles = quantiles
        self._links = net.drum_links().detach().numpy()
        self._conditions: dict[tuple[bytes, Setting], Tensor] = {}

    @classmethod
    def load(cls, path: Path = WEIGHTS / "arranger.safetensors") -> Arranger:
        """A weights file of `models.training.arranger`. SegueError if it is missing or damaged."""
        from safetensors import SafetensorError, safe_open
        from safetensors.torch import load_file

        try:
            tensors = load_file(path)
            with safe_open(path, framework="numpy") as file:
                metadata = dict(file.metadata() or {})
        except (OSError, SafetensorError) as error:
            raise SegueError(f"{path} cannot be read: get Segue's folder again.") from error
        try:
            net = ArrangerNet(ArrangerConfig(**json.loads(metadata["config"])))
            setting = SettingNet(net.config.style_dim)
            quantiles = np.array(json.loads(metadata["density_quantiles"]), np.float32)
            real = {k: v.float() for k, v in tensors.items()}
            for module, prefix in ((net, "step."), (setting, "setting.")):
                own = {k[len(prefix) :]: v for k, v in real.items() if k.startswith(prefix)}
                module.load_state_dict(own)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise SegueError(f"{path} does not fit this Segue: get its folder again.") from error
        return cls(net, setting, quantiles)

    def start(self, seed: int = 0, state: State | None = None) -> State:
        """A fresh context, its tempo and key still to be chosen. With `state` the clock goes on
        from there (a `clear`)."""
        config = self.net.config
        fresh = State(
            seed=seed & 0xFFFFFFFF,
            tonic=int(np.random.default_rng([seed & 0xFFFFFFFF, 0x70]).integers(12)),
            hidden=torch.zeros(config.layers, 2, config.hidden),
            output=torch.zeros(2, config.hidden),
        )
        if state is None:
            return fresh
        return fresh.with_(
            frames=state.frames,
            clock=state.clock,
            ticks=state.ticks,
            timbres=state.timbres,
            symbols=(0,) * len(state.symbols),
        )

    @torch.inference_mode()
    def block(
        self, state: State, style: Style | None, controls: Controls, n_frames: int = 6
    ) -> tuple[FrameScore, State, ArrangerInfo]:
        """Write the next frames, as `write`, and rasterise them for the renderer.

        Returns:
            The score of the frames, the state after them, and what was written.
        """
        start = state.frames * FRAME_SECONDS
        state, info = self.write(state, style, controls, n_frames)
        frames = frames_of(state.with_(frames=state.frames - n_frames), controls, start, n_frames)
        return frames, state, info

    @torch.inference_mode()
    def write(
        self, state: State, style: Style | None, controls: Controls, n_frames: int = 2
    ) -> tuple[State, ArrangerInfo]:
        """Write every step that begins in the next frames, and no other.

        A control therefore acts on the first step that has not sounded.

        Args:
            state: of the stream.
            style: (style_dim,) mix of the prompts, None for no style.
            controls: of this block.
            n_frames: frames of 40 ms.

        Returns:
            The state after them, whose voices hold the notes, and what was written.
        """
        start = state.frames * FRAME_SECONDS
        end = start + n_frames * FRAME_SECONDS
        state = state.with_(voices=state.voices.since(start))
        if state.ticks:
            state = state.with_(
                ticks=state.ticks[-1:], timbres=state.timbres[-1:], symbols=state.symbols[-1:]
            )
        state = self._rekey(state, arrived(state, controls), start)
        state = latched(state, controls)
        written = 0
        while state.clock.start < end - 1e-9:
            state = self._step(state, style, controls)
            written += 1
        assert state.ticks  # a slow step may outlast the block, even the first one after a clear
        info = info_of(state, written, start)
        return state.with_(frames=state.frames + n_frames), info

    def _key(self, state: State, controls: Controls) -> tuple[int, str]:
        """Tonic and mode that hold now."""
        if controls.key is not None and controls.strength_of("key") >= 0.5:
            return parse_key(controls.key)
        mode = state.setting.mode if state.setting else 0
        return state.tonic, MODE_NAMES[mode]

    def _rekey(self, state: State, controls: Controls, now: float) -> State:
        """End what sounds in the old key, or what does not belong to newly held keys."""
        key = self._key(state, controls)
        if state.ticks and key[0] != state.key[0]:
            return state.with_(voices=state.voices.cut(now), key=key)
        if state.ticks and controls.notes and controls.notes != state.notes:
            return state.with_(voices=state.voices.cut(now))
        return state.with_(key=key)

    def _condition(self, style: Style | None, setting: Setting) -> Tensor:
        """(2, 128) with and without the style; remembered, for it seldom changes."""
        name = (b"" if style is None else style.tobytes(), setting)
        found = self._conditions.get(name)
        if found is not None:
            return found
        styles = torch.zeros(2, self.net.config.style_dim)
        styled = torch.zeros(2, 1)
        if style is not None:
            styles[0], styled[0] = torch.from_numpy(np.array(style, np.float32)), 1.0
        given = StepCondition(
            style=styles,
            styled=styled,
            kit=torch.full((2,), setting.kit),
            instruments=torch.tensor([setting.instruments] * 2),
            mode=torch.full((2,), setting.mode),
            metre=torch.full((2,), setting.metre),
            pace=torch.tensor([[float(np.log2(setting.bpm / 120)), setting.swing]] * 2),
        )
        if len(self._conditions) > 256:
            self._conditions.clear()
        self._conditions[name] = found = self.net.condition(given)
        return found

    def _choose(self, state: State, style: Style | None, controls: Controls) -> State:
        """On a beat: choose the setting again if style, key or guidance have changed.

        Tempo, metre and mode stay as they were chosen for the first style, unless they are to
        follow the prompts.
        """
        mode = None
        if controls.key is not None and controls.strength_of("key") >= 0.5:
            mode = MODE_NAMES.index(parse_key(controls.key)[1])
        guidance = _guidance(controls)
        identity = b"" if style is None else style.tobytes()
        follows = controls.follow_prompts
        wanted = (identity, mode, guidance, follows)
        old = state.setting
        if old is not None and state.chosen_for == wanted:
            return state
        base = base_of(state)
        noise = SettingNoise.of(state.seed)
        new = choose_setting(
            self.setting_net, style, noise, guidance, mode, None if follows else base
        )
        chosen: object = wanted
        if old is not None and not state.clock.on_bar:
            # Bars are finished in their metre and mode; the rest need not wait.
            waits = follows and mode is None
            later = replace(new, metre=old.metre, mode=old.mode if waits else new.mode)
            if later != new:
                new, chosen = later, None
        if style is not None and chosen is not None and (base is None or follows):
            base = new
        state = state.with_(setting=new, chosen_for=chosen, base=base)
        if old is None:
            return state.with_(style=identity)
        step = state.history.length
        if new.metre != old.metre:
            state = state.with_(floor=step)
        band = (new.kit, new.instruments, new.metre) != (old.kit, old.instruments, old.metre)
        if band or _distance(identity, state.style) > NEW_STYLE:
            state = state.with_(style=identity, style_step=step)
        return state

    def _step(self, state: State, style: Style | None, asked: Controls) -> State:
        """Write the step at which the clock stands."""
        controls = arrived(state, asked)
        if state.asked is None or state.clock.on_bar:
            state = self._rekey(state, controls, state.clock.start)
        per_beat = state.setting.steps_per_beat if state.setting else 1
        changed = state.setting
        if state.setting is None or state.clock.on_beat(per_beat):
            state = self._choose(state, style, controls)
        setting = state.setting
        assert setting is not None
        own = glide(state.tempo or setting.bpm, setting.bpm, setting.steps_per_bar)
        bpm = own
        if controls.bpm is not None:
            bpm *= (controls.bpm / bpm) ** controls.strength_of("bpm")
        tick, clock = state.clock.tick(
            bpm, setting.swing, setting.steps_per_beat, setting.steps_per_bar
        )
        tonic, mode = self._key(state, controls)
        held = held_harmony(controls.notes, tonic, mode)
        step = state.history.length
        dice = StepNoise(state.seed, step)
        if held is not None and dice.even() > controls.strength_of("notes"):
            held = None
        band_changed = changed is not None and changed.instruments != setting.instruments
        strike = bool(setting.instruments[1]) and (
            (held is not None and controls.notes != state.notes)
            or (tonic != state.key[0] and bool(state.ticks))
        )
        wish = self._wish(state, controls, held, strike)
        place = StepPosition(
            step, tick.step_in_bar, (step - state.style_step) // setting.steps_per_bar, state.floor
        )
        condition = self._condition(style, _at_tempo(setting, tick.bpm))
        if tick.on_bar or band_changed or not state.ticks:
            identity = b"" if style is None else style.tobytes()
            state = self._plan(state, condition, place, tick, setting, wish, dice, identity)
        span = fill_span(state.fill, state.fill_due, tick, step)
        state = state.with_(fill=span, fill_due=False)
        form, plan = state.form, state.plan
        theme = find(state.themes, form.section, setting.steps_per_bar) if plan.again else None
        themed = None if theme is None else theme.row(step - form.start)
        wish = replace(
            wish,
            bias=wish.bias + (fullness(plan, controls.energy) if controls.density is None else 0.0),
            theme=themed,
            recall=recall(plan.again),
            fill=fill_levels(state.fill, step, KITS[setting.kit], state.seed),
        )
        looked = sources(state.history, form, place, setting.steps_per_bar, themed)
        remembered = groove(state.history, form, place, setting.steps_per_bar)
        if remembered is not None:
            looked = [drummed(row, remembered) for row in looked]
        moment = moment_of(place, form, setting, wish.density)
        joined, output, hidden, lag_features = advance(
            self.net, state.hidden, condition, moment, state.history.get(step - 1), looked
        )
        row = decode_step(
            self.net, self._links, joined, looked, lag_features, form, state.symbol, tonic, mode,
            wish, dice,
        )  # fmt: skip
        voices = play_row(state.voices, row, tick, setting, tonic, held, state.seed, step)
        # The pitch classes of another key are forgotten.
        before = state.tones if tonic == state.key[0] else NO_WEIGHTS
        state = self._measure(state, row, tick, controls)
        return state.with_(
            hidden=hidden,
            output=output,
            clock=clock,
            history=state.history.append(row),
            symbol=int(row[SYMBOL]),
            voices=voices,
            ticks=(*state.ticks, tick),
            timbres=(*state.timbres, setting),
            symbols=(*state.symbols, int(row[SYMBOL])),
            key=(tonic, mode),
            tempo=own,
            asked=(controls.bpm, controls.key),
            tones=follow(before, sounding_notes(voices, tick), tonic, tick.length),
            notes=controls.notes if held is not None or not controls.notes else state.notes,
        )

    def _plan(
        self,
        state: State,
        condition: Tensor,
        place: StepPosition,
        tick: Tick,
        setting: Setting,
        wish: StepTargets,
        dice: StepNoise,
        identity: bytes,
    ) -> State:
        """The state with the plan of the bar that begins, or of the rest of this one."""
        keep = not tick.on_bar
        before = moment_of(place, state.form, setting, wish.density)
        form, plan, bar = state.form, state.plan, setting.steps_per_bar
        entered = False
        if not keep or not plan.place:
            leapt = _distance(identity, state.plan_style) > NEW_STYLE
            if leapt or not plan.place:
                # Another music has themes of its own.
                state = state.with_(plan_style=identity, themes=())
            plan, entered = plan_section(
                self.net, state.output, condition, before, plan, form.bar + 1,
                tick.length * bar, setting, wish, dice, state.seed, state.due, leapt,
            )  # fmt: skip
        if entered:
            end = min(place.step, form.start + THEME_BARS * bar)
            rows = [
                row
                for index in range(max(form.start, state.floor), end)
                if (row := state.history.get(index)) is not None
            ]
            if form.start >= state.style_step:
                state = state.with_(themes=keep_theme(state.themes, form.section, bar, rows))
            state = state.with_(due=False)
            form = form.enter(section_code(plan.name), place.step)
        elif not keep:
            form = replace(form, bar=form.bar + 1)
        theme = find(state.themes, form.section, bar) if plan.again else None
        back = form.returns(place.step)
        returned = state.history.get(back) if back >= place.floor else None
        if theme is not None:
            returned = theme.row(place.step - form.start)
        form = plan_bar(
            self.net, state.output, condition, before, form, plan, returned, setting, wish, dice,
            entered, keep,
        )  # fmt: skip
        if plan.fill and not keep and form.active & 1 and form.bar == plan.bars - 1:
            length = setting.steps_per_beat * (2 if plan.bars >= MOST_BARS else 1)
            state = state.with_(fill=(place.step + bar - length, place.step + bar))
        return state.with_(form=form, plan=plan)

    def _wish(
        self, state: State, controls: Controls, held: Held | None, strike: bool
    ) -> StepTargets:
        density, bias = (0.0, 0.0), 0.0
        if controls.density is not None:
            strength = controls.strength_of("density")
            span = np.linspace(0, 1, len(self.quantiles))
            own = float(np.interp(state.busy, self.quantiles, span))
            asked = strength * controls.density + (1 - strength) * own
            density = (asked, 1.0) if strength > 0.05 else (0.0, 0.0)
            bias = strength * float(
                np.clip(self._lack(state, controls.density) + state.push, -3, 3)
            )
        if state.silence > QUIET:
            bias = max(bias, 0.0) + 3.0 * (state.silence - QUIET)
        return StepTargets(
            guidance=_guidance(controls),
            taste=SamplingParams.of(controls.chaos),
            density=density,
            bias=bias,
            scale=controls.strength_of("key"),
            held=held,
            strike=strike,
            mute=controls.mute,
            tones=pull(state.tones, self._key(state, controls)[1]),
            energy=controls.energy,
        )

    def _lack(self, state: State, density: float) -> float:
        """How many more onsets are asked for than were written, as a log ratio."""
        span = np.linspace(0, 1, len(self.quantiles))
        asked = float(np.interp(density, span, self.quantiles))
        return float(np.log((asked + 0.7) / (state.busy + 0.7)))

    def _measure(
        self, state: State, row: NDArray[np.uint8], tick: Tick, controls: Controls
    ) -> State:
        """Follow the density and the silence of what is written."""
        fade = float(np.exp(-tick.length / MEMORY))
        busy = state.busy if state.ticks else float(self.quantiles[len(self.quantiles) // 2])
        busy = busy * fade + (1 - fade) * float(onsets(row[:WIDTH])) / tick.length
        push = state.push * float(np.exp(-tick.length / 20.0))
        if controls.density is not None:
            lack = self._lack(state, controls.density)
            push = float(np.clip(push + 0.35 * tick.length * lack, -2.0, 2.0))
        heard = sum(
            int(on) << i for i, on in enumerate(sounding(row[None, :WIDTH])[0].tolist())
        ) & audible(controls.mute)
        silence = 0.0 if heard else state.silence + tick.length
        return state.with_(busy=busy, push=push, silence=silence)


def _guidance(controls: Controls) -> float:
    """The guidance asked for, within what acts."""
    if controls.guidance is None:
        return GUIDANCE
    low, high = GUIDANCE_RANGE
    return min(max(controls.guidance, low), high)


def _at_tempo(setting: Setting, bpm: float) -> Setting:
    """The setting as the network should hear it: at the tempo that is played, to the nearest two
    per cent so that a glide does not fill the memory of conditions."""
    steps = round(np.log(bpm / 120) / 0.02)
    return Setting(
        setting.metre,
        setting.kit,
        setting.instruments,
        round(float(120 * np.exp(0.02 * steps)), 3),
        setting.swing,
        setting.mode,
    )


def _distance(a: bytes, b: bytes) -> float:
    """Of two styles' bytes; large where only one is a style."""
    if not a or not b:
        return 0.0 if a == b else 2.0
    difference = np.frombuffer(a, np.float32) - np.frombuffer(b, np.float32)
    return float(np.linalg.norm(difference))
