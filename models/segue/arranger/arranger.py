"""Arranger: generates the score block by block, in time with the music.

It plans a bar (section and parts), writes a step at a time in musical time, and gives the score of
the next 40 ms frames. It is Lyria RealTime's self-conditioning made explicit (Live Music Models,
section 4): p(audio, controls) = p(audio | controls) p(controls). It always runs on the CPU: a step
is a few small products, which a GPU would only make slower.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.music.score import FRAME_SECONDS, KITS, MODE_NAMES, PARTS, FrameScore, parse_key
from models.segue.arranger.arrival import (
    arrived_controls,
    base_of,
    key_of,
    latch_triggers,
    rekeyed,
)
from models.segue.arranger.block_score import ArrangerInfo, frames_of, info_of
from models.segue.arranger.clock import glide
from models.segue.arranger.conditions import (
    GUIDANCE,
    NEW_STYLE,
    ConditionCache,
    guidance_of,
    style_distance,
)
from models.segue.arranger.density_control import DensityControl
from models.segue.arranger.form.bar_line import with_bar_plan
from models.segue.arranger.form.fills import fill_levels, fill_span
from models.segue.arranger.form.form_plan import fullness
from models.segue.arranger.form.themes import find, recall
from models.segue.arranger.held_keys import HeldHarmony, held_harmony
from models.segue.arranger.idiom.acting import with_idiom
from models.segue.arranger.idiom.idiom import Idiom
from models.segue.arranger.idiom.sounds import Idioms, no_idioms
from models.segue.arranger.loading import read_weights
from models.segue.arranger.memory.recall import recalled, with_groove
from models.segue.arranger.memory.recollection import HeardMusic, modulated
from models.segue.arranger.network import ArrangerNet
from models.segue.arranger.part_styles import PartStyles
from models.segue.arranger.parts.example import with_example
from models.segue.arranger.parts.hold import begin_hold, held_active, held_parts, held_targets
from models.segue.arranger.parts.instruments import filled, heard, kept
from models.segue.arranger.parts.patterns import begin_parts
from models.segue.arranger.parts.sketches import (
    begin_sketches,
    sketched_bits,
    sketched_setting,
    sketched_targets,
)
from models.segue.arranger.parts.state import at_start
from models.segue.arranger.parts.targets import PartTargets
from models.segue.arranger.sampling import SamplingParams, StepNoise
from models.segue.arranger.setting import SettingNet, SettingNoise, choose_setting
from models.segue.arranger.state import State
from models.segue.arranger.step_targets import StepPosition, StepTargets
from models.segue.arranger.step_writer import (
    NO_SOURCES,
    HeadInputs,
    StepHeads,
    advance,
    available,
    decode_step,
    sources,
    step_place,
)
from models.segue.arranger.steps import SYMBOL, Setting
from models.segue.arranger.tonal_balance import NO_WEIGHTS, follow, pull, sounding_notes
from models.segue.arranger.voices import play_row
from models.segue.learned_pieces import turn_of
from models.storage.weights import WEIGHTS

Style = NDArray[np.float32]
ARRANGER_CONTROLS: Final = frozenset(
    {"style", "bpm", "key", "density", "brightness", "mute", "notes", "guidance", "chaos",
     "energy", "follow_prompts", "change_at", "fill", "next_section", "strength", "memory",
     "memory_mode", "loop_bars", "sketches", "hold", "variation"}
)  # fmt: skip
"""Controls of an engine whose score the arranger writes."""


class Arranger:
    """Score generator, stateless but for its weights: `write` maps a state to the next."""

    def __init__(
        self, net: ArrangerNet, setting_net: SettingNet, quantiles: NDArray[np.float32],
        idioms: Idioms = no_idioms, part_styles: PartStyles | None = None,
    ) -> None:  # fmt: skip
        self.net = net.eval().requires_grad_(False)
        self.setting_net = setting_net.eval().requires_grad_(False)
        self.quantiles, self._idioms = quantiles, idioms
        self._links = net.drum_links().detach().numpy()
        self.density = DensityControl(quantiles)
        self._part_styles = part_styles
        self._conditions = ConditionCache(net)

    @classmethod
    def load(
        cls, path: Path = WEIGHTS / "arranger.safetensors", idioms: Idioms = no_idioms
    ) -> Arranger:
        """Load a weights file of `models.training.arranger`; `idioms` gives that of learned sounds.

        Raises:
            SegueError: the file is missing or damaged.

        """
        net, setting_net, quantiles = read_weights(path)
        return cls(net, setting_net, quantiles, idioms, PartStyles.load(setting_net))

    def start(self, seed: int = 0, state: State | None = None) -> State:
        """State of a new stream, its tempo and key still to be chosen.

        Args:
            seed: of everything that is drawn.
            state: where given, the clock goes on from there (a `clear`): the first bar begins with
                the next beat.

        """
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
            clock=state.clock.at_bar(state.setting.steps_per_beat if state.setting else 1),
            ticks=state.ticks,
            timbres=state.timbres,
            symbols=(0,) * len(state.symbols),
            patterns=at_start(state.patterns),
        )

    @torch.inference_mode()
    def block(
        self, state: State, style: Style | None, controls: Controls, n_frames: int = 6,
        played: HeardMusic | None = None,
    ) -> tuple[FrameScore, State, ArrangerInfo]:  # fmt: skip
        """Write the next frames, as `write`, and rasterise them for the renderer.

        Returns:
            The score of the frames, the state after them, and what was written.

        """
        start = state.frames * FRAME_SECONDS
        state, info = self.write(state, style, controls, n_frames, played)
        frames = frames_of(state.with_(frames=state.frames - n_frames), controls, start, n_frames)
        return frames, state, info

    @torch.inference_mode()
    def write(
        self, state: State, style: Style | None, controls: Controls, n_frames: int = 2,
        played: HeardMusic | None = None,
    ) -> tuple[State, ArrangerInfo]:  # fmt: skip
        """Write every step that begins in the next frames, and no other.

        A control therefore acts on the first step that has not sounded.

        Args:
            state: of the stream.
            style: (style_dim,) of what is written, None for no style: that of the controls, or of
                the present piece of a learned sound.
            controls: of this block.
            n_frames: frames of 40 ms.
            played: what the performer has played in, for the memory control.

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
        state = rekeyed(state, arrived_controls(state, controls), start)
        state = latch_triggers(state, controls)
        written = 0
        while state.clock.start < end - 1e-9:
            state = self._step(state, style, controls, played)
            written += 1
        assert state.ticks  # a slow step may outlast the block, even the first one after a clear
        info = info_of(state, written, start)
        return state.with_(frames=state.frames + n_frames), info

    def setting(
        self,
        style: Style | None,
        noise: SettingNoise,
        guidance: float = GUIDANCE,
        mode: int | None = None,
        base: Setting | None = None,
        idiom: Idiom | None = None,
    ) -> Setting:
        """The setting that the arranger takes for a style; arguments as of `choose_setting`."""
        styles = None
        if style is not None and self._part_styles is not None:
            styles = self._part_styles.of(style)
        setting: Setting = choose_setting(
            self.setting_net, style, noise, guidance, mode, base, idiom, styles
        )
        return setting

    def _choose(self, state: State, style: Style | None, controls: Controls) -> State:
        """On a beat: choose the setting again if style, key or guidance have changed.

        Tempo, metre and mode stay as they were chosen for the first style, unless they are to
        follow the prompts.
        """
        mode = None
        if controls.key is not None and controls.strength_of("key") >= 0.5:
            mode = MODE_NAMES.index(parse_key(controls.key)[1])
        guidance = guidance_of(controls)
        identity = b"" if style is None else style.tobytes()
        follows = controls.follow_prompts
        idiom = self._idioms(controls.sounds, turn_of(state))
        inputs: tuple[object, ...] = (identity, mode, guidance, follows)
        if idiom is not None:
            inputs = (*inputs, repr(sorted(controls.sounds.items())))
        old = state.setting
        if old is not None and state.chosen_for == inputs:
            return state
        base = base_of(state)
        noise = SettingNoise.of(state.seed)
        new = self.setting(style, noise, guidance, mode, None if follows else base, idiom)
        chosen: object = inputs
        if old is not None:
            new = kept(new, old, state.patterns.held | held_parts(state))
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
        if band or style_distance(identity, state.style) > NEW_STYLE:
            state = state.with_(style=identity, style_step=step)
        return state

    def _step(
        self, state: State, style: Style | None, requested: Controls, played: HeardMusic | None
    ) -> State:
        """Write the step at which the clock stands."""
        controls = arrived_controls(state, requested)
        if state.asked is None or state.clock.on_bar:
            state = modulated(state, played, controls)
            state = rekeyed(state, controls, state.clock.start)
        per_beat = state.setting.steps_per_beat if state.setting else 1
        changed = state.setting
        if state.setting is None or state.clock.on_beat(per_beat):
            state = self._choose(state, style, controls)
        assert state.setting is not None
        chosen = state.setting
        setting = sketched_setting(filled(chosen, controls.part_map), controls)
        own = glide(state.tempo or setting.bpm, setting.bpm, setting.steps_per_bar)
        bpm = own
        if controls.bpm is not None:
            bpm *= (controls.bpm / bpm) ** controls.strength_of("bpm")
        tick, clock = state.clock.tick(
            bpm, setting.swing, setting.steps_per_beat, setting.steps_per_bar
        )
        tonic, mode = key_of(state, controls)
        held = held_harmony(controls.notes, tonic, mode)
        step = state.history.length
        state = begin_parts(state, controls, tick, step, mode)
        state = begin_hold(begin_sketches(state, controls, tick), controls, tick, mode)
        step_noise = StepNoise(state.seed, step)
        if held is not None and step_noise.uniform() > controls.strength_of("notes"):
            held = None
        band_changed = changed is not None and changed.instruments != chosen.instruments
        strike = bool(setting.instruments[1]) and (
            (held is not None and controls.notes != state.notes)
            or (tonic != state.key[0] and bool(state.ticks))
        )
        targets = self._step_targets(state, controls, held, strike)
        place = StepPosition(
            step, tick.step_in_bar, (step - state.style_step) // setting.steps_per_bar, state.floor
        )
        condition = self._conditions.of(style, setting, tick.bpm)
        if tick.on_bar or band_changed or not state.ticks:
            # A piece of a learned sound that gives way to the next is no other music.
            meant = style if controls.style is None else controls.style
            identity = b"" if meant is None else meant.tobytes()
            state = with_bar_plan(
                self.net, state, condition, place, tick, setting, targets, step_noise, identity
            )
        span = fill_span(state.fill, state.fill_due, tick, step)
        state = state.with_(fill=span, fill_due=False)
        patterns = state.patterns
        pinned = patterns.held | patterns.renewed | sketched_bits(state, tick)
        pinned &= available(setting)
        form, plan = replace(state.form, active=held_active(state, step) | pinned), state.plan
        theme = find(state.themes, form.section, setting.steps_per_bar) if plan.again else None
        theme_row = None if theme is None else theme.row(step - form.start)
        full = fullness(plan, controls.energy)
        targets = replace(
            targets,
            bias=targets.bias + (full if controls.density is None else 0.0),
            theme=theme_row,
            recall=recall(plan.again),
            fill=fill_levels(state.fill, step, KITS[setting.kit], state.seed),
            parts=PartTargets.of(
                patterns, tick.step_in_bar, state.history.get(step - setting.steps_per_bar)
            ),
        )
        parts = sketched_targets(targets.parts, state, tick, setting, tonic, mode)
        targets = replace(targets, parts=held_targets(parts, state, step))
        bar = setting.steps_per_bar
        found = sources(state.history, form, place, bar, theme_row)
        found = with_groove(found, state.history, form, place, bar)
        found, targets = with_example(found, targets, state, tick, setting, tonic, mode)
        idiom = self._idioms(controls.sounds, turn_of(state))
        targets = with_idiom(targets, idiom, state, tick, controls.density is not None)
        attended_rows, targets = recalled(
            found, targets, played, controls, tick, setting, tonic, form, state.seed
        )
        moment = step_place(place, form, setting, targets.density)
        joined, output, hidden, lag_features = advance(
            self.net, state.hidden, condition, moment, state.history.get(step - 1), attended_rows
        )
        usual = HeadInputs.of(self.net, joined, lag_features, attended_rows, state.symbol)
        anew = usual
        if patterns.renewed:
            previous = state.history.get(step - 1)
            free, _, _, none = advance(
                self.net, state.hidden, condition, moment, previous, NO_SOURCES
            )
            anew = HeadInputs.of(self.net, free, none, NO_SOURCES, state.symbol)
        row = decode_step(
            StepHeads(self.net, usual, anew, targets), self._links, form, state.symbol, tonic, mode,
            step_noise,
        )  # fmt: skip
        octaves = [controls.part_map.of(part).octave for part in PARTS]
        voices = play_row(state.voices, row, tick, setting, tonic, held, state.seed, step, octaves)
        # The pitch classes of another key are forgotten.
        before = state.tones if tonic == state.key[0] else NO_WEIGHTS
        state = self.density.measured(state, row, tick, controls)
        return state.with_(
            form=form,
            hidden=hidden,
            output=output,
            clock=clock,
            history=state.history.append(row),
            symbol=int(row[SYMBOL]),
            voices=voices,
            ticks=(*state.ticks, tick),
            timbres=(*state.timbres, heard(setting, controls.part_map)),
            symbols=(*state.symbols, int(row[SYMBOL])),
            key=(tonic, mode),
            tempo=own,
            asked=(controls.bpm, controls.key),
            tones=follow(before, sounding_notes(voices, tick), tonic, tick.length),
            notes=controls.notes if held is not None or not controls.notes else state.notes,
        )

    def _step_targets(
        self, state: State, controls: Controls, held: HeldHarmony | None, strike: bool
    ) -> StepTargets:
        density, bias = self.density.targets(state, controls)
        return StepTargets(
            guidance=guidance_of(controls),
            sampling=SamplingParams.of(controls.chaos),
            density=density,
            bias=bias,
            scale=controls.strength_of("key"),
            held=held,
            strike=strike,
            mute=controls.mute,
            tones=pull(state.tones, key_of(state, controls)[1]),
            energy=controls.energy,
        )
