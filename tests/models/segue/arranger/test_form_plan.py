"""The plan of the form, by tables: which form, which section comes, how long, who may play."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.music.form import FORMS
from models.music.score import PARTS
from models.segue.arranger.form.form_plan import (
    CHORDS,
    COMPANY_SHARE,
    FILL_SHARE,
    LEAD,
    LONGER,
    THIN,
    FormPlan,
    choose_form,
    fullness,
    in_form,
    is_over,
    likely_forms,
    next_phrase,
    next_section,
    part_limits,
    part_options,
    section_bars,
)
from models.segue.arranger.steps import SECTIONS, section_code

ALL = (1 << len(PARTS)) - 1


def evenly(code: int, bits: int) -> float:
    return 0.0


def walk(form: str, sections: int, energy: float | None = None, seed: int = 0) -> list[FormPlan]:
    """The first sections of a form at a steady energy."""
    rng, plan, plans = np.random.default_rng(seed), FormPlan(form), []
    for _ in range(sections):
        plan = next_section(plan, ALL, 2.0, energy, evenly, lambda: float(rng.random()))
        plans.append(plan)
    return plans


def test_a_form_goes_round_and_its_intro_comes_once() -> None:
    names = [plan.name for plan in walk("club", 13)]
    once = [name for name, _, _ in FORMS["club"]]
    assert names == once + once[1:]


def test_sections_know_how_often_they_came() -> None:
    plans = walk("song", 6)
    again = [(plan.name, plan.again) for plan in plans]
    assert again == [("intro", 0), ("a", 0), ("b", 0), ("a", 1), ("break", 0), ("b", 1)]


def test_parts_are_one_of_the_composers_choices_and_the_lead() -> None:
    joined = []
    for seed in range(10):
        for plan in walk("dub", 12, seed=seed):
            choices = [c for n, c, _ in FORMS["dub"] if n == plan.name]
            options = {bits for c in choices for bits in part_options(c, ALL)}
            assert plan.parts in options | {bits | LEAD for bits in options}
            joined.append(bool(plan.parts & LEAD))
    assert 0.8 < np.mean(joined) < 1.0


def test_the_chords_join_where_nobody_leads() -> None:
    available = ALL & ~LEAD
    for luck in (0.1, 0.5, 0.8):
        rng = iter([luck] * 50)
        plan = next_section(FormPlan("dub"), available, 2.0, None, evenly, rng.__next__)
        assert plan.parts & CHORDS


@pytest.mark.parametrize(
    ("place", "bars", "begins"),
    [
        (1, 8, [0]),  # an intro
        (2, 4, [0]),
        (2, 8, [0, 4]),
        (2, 16, [0, 8]),
        (5, 8, [0]),  # a break
    ],
)
def test_long_sections_have_two_phrases(place: int, bars: int, begins: list[int]) -> None:
    plan = FormPlan("song", place=place, bars=bars)
    assert [bar for bar in range(bars) if plan.begins_phrase(bar)] == begins


def test_a_second_phrase_draws_its_parts_again_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    plan = FormPlan("song", place=2, bars=8, parts=0b1111, level=0.9, again=1)
    seen = set()
    for _ in range(40):
        new = next_phrase(plan, ALL, evenly, lambda: float(rng.random()))
        assert replace(new, parts=plan.parts) == plan
        seen.add(new.parts)
    assert len(seen) > 2
    asked: list[int] = []

    def full(code: int, bits: int) -> float:
        asked.append(code)
        return 30.0 * (bits == ALL)

    assert next_phrase(plan, ALL, full, lambda: 0.5).parts == ALL
    assert set(asked) == {section_code("a")}


def test_a_part_alone_is_joined_by_another_in_half_the_phrases() -> None:
    rng = np.random.default_rng(5)
    drums, bass = 0b1, 0b10
    plan = FormPlan("club", place=1, bars=8)  # drums, alone or with bass or extra
    drums_alone = 0
    for _ in range(300):
        new = next_phrase(plan, drums | LEAD, evenly, lambda: float(rng.random()))
        drums_alone += not new.parts & LEAD
        assert next_phrase(plan, drums, evenly, lambda: 0.1).parts & (drums | bass)
    # Without a focus 0.15 of the phrases; half of these get company.
    assert 0.03 < drums_alone / 300 < 0.15 * (1 - COMPANY_SHARE) + 0.06


@pytest.mark.parametrize("seed", range(8))
def test_a_stream_opens_with_its_drums_where_the_form_allows(seed: int) -> None:
    assert walk("song", 1, seed=seed)[0].parts & 1
    assert not walk("ambient", 1, seed=seed)[0].parts & 1


@pytest.mark.parametrize(
    ("energy", "barred"), [(0.9, THIN), (0.1, frozenset({"drop", "b", "solo"}))]
)
def test_energy_passes_over_sections(energy: float, barred: frozenset[str]) -> None:
    names = {plan.name for form in ("club", "song") for plan in walk(form, 20, energy)}
    assert names and not names & barred


@pytest.mark.parametrize(
    ("before", "now", "bar", "over"),
    [
        (-1.0, None, 3, False),
        (-1.0, None, 8, True),
        (0.4, 0.5, 3, False),
        (0.4, 0.7, 3, True),
        (0.9, 0.5, 3, True),
        (-1.0, 0.9, 3, False),  # auto is no energy to rise from
    ],
)
def test_a_leap_of_energy_ends_a_section(
    before: float, now: float | None, bar: int, over: bool
) -> None:
    plan = FormPlan("club", place=2, bars=8, energy=before)
    assert is_over(plan, bar, now) is over


@pytest.mark.parametrize(
    ("before", "energy", "name"),
    [(0.5, 0.9, "drop"), (0.5, 0.1, "break"), (0.0, 0.28, "break"), (1.0, 0.68, "break")],
)
def test_a_rise_leads_to_the_peak_and_a_fall_to_the_break(
    before: float, energy: float, name: str
) -> None:
    """But not one that stays in the lower half, nor in the upper."""
    plan = FormPlan("club", place=3, bars=8, energy=before)
    assert next_section(plan, ALL, 2.0, energy, evenly, lambda: 0.5).name == name


@pytest.mark.parametrize(
    ("name", "seconds", "luck", "bars"),
    [
        ("a", 2.0, 0.9, 8),
        ("a", 2.0, LONGER / 2, 16),
        ("a", 1.0, LONGER / 2, 16),  # never longer
        ("a", 4.0, 0.9, 4),
        ("intro", 2.0, 0.0, 2),
        ("intro", 1.0, 0.0, 2),
        ("break", 2.0, 0.0, 4),
        ("break", 5.0, 0.0, 2),
        ("build", 1.0, 0.0, 4),
    ],
)
def test_sections_last_whole_phrases(name: str, seconds: float, luck: float, bars: int) -> None:
    assert section_bars(name, seconds, lambda: luck) == bars


@pytest.mark.parametrize(
    ("energy", "limits"),
    [(None, (1, 5)), (0.0, (1, 1)), (0.25, (1, 3)), (0.5, (1, 5)), (0.75, (3, 5)), (1.0, (5, 5))],
)
def test_energy_sets_how_many_play(energy: float | None, limits: tuple[int, int]) -> None:
    assert part_limits(energy) == limits


def test_fullness_rises_with_level_and_energy() -> None:
    calm, full = FormPlan("a", 1, level=0.6), FormPlan("a", 1, level=1.25)
    assert fullness(calm, None) < 0 < fullness(full, None)
    assert fullness(calm, 0.2) < fullness(calm, 0.5) < fullness(calm, 0.9)
    assert fullness(FormPlan(), None) == 0


def test_the_form_is_the_one_whose_sections_the_network_expects() -> None:
    parts = np.zeros((len(SECTIONS), 1 << len(PARTS)))
    for form in ("club", "jam"):
        odds = np.full(len(SECTIONS), 0.01)
        for name, _, _ in FORMS[form]:
            odds[section_code(name)] += 1.0
        assert choose_form(likely_forms(odds, parts, ALL), lambda: 0.5) == form


@pytest.mark.parametrize("form", ["song", "jam"])
def test_the_themes_of_a_band_have_its_drums(form: str) -> None:
    plans = [plan for seed in range(8) for plan in walk(form, 12, seed=seed)]
    drummed: dict[bool, list[bool]] = {plan.name in THIN: [] for plan in plans}
    for plan in plans:
        drummed[plan.name in THIN].append(bool(plan.parts & 1))
    assert all(drummed[False])
    assert not all(drummed[True])


def test_a_second_phrase_of_a_band_has_its_drums() -> None:
    first = FormPlan("song", place=2, bars=8, parts=ALL)
    rng = np.random.default_rng(1)
    draws = [next_phrase(first, ALL, evenly, lambda: float(rng.random())) for _ in range(40)]
    assert all(plan.parts & 1 for plan in draws)


def test_a_form_without_drums_is_less_likely_where_there_is_a_drummer() -> None:
    sections, parts = np.ones(len(SECTIONS)), np.zeros((len(SECTIONS), ALL + 1))
    with_drums, without = (likely_forms(sections, parts, bits) for bits in (ALL, ALL & ~1))
    gap = {form: with_drums[form] - without[form] for form in ("chamber", "tune", "club")}
    assert gap["chamber"] < gap["tune"] < gap["club"]


@pytest.mark.parametrize(("kit", "form"), [("tabla", "raga"), ("none", "raga"), ("rock", "song")])
def test_only_indian_drums_play_a_raga(kit: str, form: str) -> None:
    """By its sections and parts a raga is much like a song: hard rock began with an alap."""
    odds = np.full(len(SECTIONS), 0.001)
    odds[[section_code(name) for name in ("alap", "a", "b")]] = (0.2, 0.4, 0.4)
    parts = np.zeros((len(SECTIONS), 1 << len(PARTS)))
    scores = likely_forms(odds, parts, ALL, kit)
    assert max(("raga", "song"), key=lambda name: scores[name]) == form


@pytest.mark.parametrize(
    ("kit", "available", "form"),
    [
        ("none", ALL, "chamber"),
        ("orchestral", ALL, "chamber"),
        ("rock", ALL, "song"),
        ("tr909", ALL, "song"),
        ("rock", ALL & ~1, "chamber"),  # the drummer is muted
    ],
)
def test_a_drum_set_plays_no_chamber_music(kit: str, available: int, form: str) -> None:
    """By its sections chamber music is much like a song: metal began without its drums."""
    odds = np.full(len(SECTIONS), 0.001)
    odds[[section_code(name) for name in ("a", "b", "break")]] = (0.6, 0.2, 0.2)
    parts = np.zeros((len(SECTIONS), 1 << len(PARTS)))
    scores = likely_forms(odds, parts, available, kit)
    assert max(("chamber", "song"), key=lambda name: scores[name]) == form


def test_the_form_fits_who_is_expected_to_play() -> None:
    """Two forms with the same sections are told apart by their parts."""
    odds = np.full(len(SECTIONS), 0.01)
    odds[[section_code("a"), section_code("b"), section_code("break")]] = (0.5, 0.4, 0.2)
    parts = np.full((len(SECTIONS), 1 << len(PARTS)), -12.0)
    parts[:, 0b00001] = 0.0
    scores = likely_forms(odds, parts, ALL)
    assert max(scores, key=lambda form: scores[form]) == "drums"


def test_without_drums_a_section_is_short_where_there_is_a_drummer() -> None:
    def first(available: int) -> int:
        return next_section(FormPlan("ambient"), available, 2.0, None, evenly, lambda: 0.9).bars

    assert first(ALL) == 4 and first(ALL & ~1) == 8


@pytest.mark.parametrize(
    ("place", "form", "name"), [(0, "club", "intro"), (3, "club", "a"), (3, "jam", "a")]
)
def test_a_form_that_is_changed_to_has_no_opening(place: int, form: str, name: str) -> None:
    plan = in_form(FormPlan("song", place=place, counts=(4,) * len(SECTIONS)), form)
    after = next_section(plan, ALL, 2.0, None, evenly, lambda: 0.5)
    assert (after.form, after.name, after.again) == (form, name, 0)
    assert in_form(after, form) is after


def test_most_sections_end_in_a_fill() -> None:
    plans = [plan for seed in range(20) for plan in walk("song", 10, seed=seed)]
    assert abs(np.mean([plan.fill for plan in plans]) - FILL_SHARE) < 0.1
