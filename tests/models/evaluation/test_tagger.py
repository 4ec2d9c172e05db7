"""The table between our terms and an outside tagger's words, and what is counted with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.evaluation.card import BARS
from models.evaluation.tagger import NETWORKS, WORDS, figures, main, render
from models.segue.style.terms import NAMES

MTT = """guitar,classical,slow,techno,strings,drums,electronic,rock,fast,piano,ambient,beat,violin,
vocal,synth,female,indian,opera,male,singing,vocals,no vocals,harpsichord,loud,quiet,flute,woman,
male vocal,no vocal,pop,soft,sitar,solo,man,classic,choir,voice,new age,dance,male voice,female
vocal,beats,harp,cello,no voice,weird,country,metal,female voice,choral"""
MSD = """rock,pop,alternative,indie,electronic,female vocalists,dance,00s,alternative rock,jazz,
beautiful,metal,chillout,male vocalists,classic rock,soul,indie rock,Mellow,electronica,80s,folk,
90s,chill,instrumental,punk,oldies,blues,hard rock,ambient,acoustic,experimental,female vocalist,
guitar,Hip-Hop,70s,party,country,easy listening,sexy,catchy,funk,electro,heavy metal,Progressive
rock,60s,rnb,indie pop,sad,House,happy"""
TAGS = {"MTT": MTT, "MSD": MSD}
"""The fifty words of either network, as musicnn.configuration of musicnn 0.1.0 lists them."""


def words_of(network: str) -> list[str]:
    return [word.strip() for word in TAGS[network].replace("\n", " ").split(",")]


def heard(probability: float, **asked: float) -> dict[str, dict[str, float]]:
    """A clip for which every word has one probability, but for those of `asked`."""
    return {n: {w: asked.get(w, probability) for w in words_of(n)} for n in NETWORKS}


def test_every_term_is_ours_and_every_word_the_taggers() -> None:
    assert set(WORDS) <= set(NAMES)
    for column, network in enumerate(NETWORKS):
        words = words_of(network)
        assert len(set(words)) == 50
        assert {row[column] for row in WORDS.values()} - {None} <= set(words)
    assert all(any(row) for row in WORDS.values())


def test_an_asked_word_that_is_heard_counts() -> None:
    result = figures({"Techno": heard(0.1, techno=0.9), "Harp": heard(0.1, harp=0.4)})
    assert (result["terms"], result["first_5"], result["raises"]) == (2, 1.0, 1.0)
    ratios = {case["prompt"]: case["raised"] for case in result["cases"]}
    assert ratios == pytest.approx({"Techno": 9.0, "Harp": 4.0})


def test_a_word_that_is_in_everything_is_chance_and_not_raised() -> None:
    clips = {term: heard(0.1, techno=0.9) for term in ("Techno", "Minimal Techno", "Harp")}
    cases = {case["prompt"]: case for case in figures(clips)["cases"]}
    assert cases["Techno"]["rank"] == 1
    assert cases["Techno"]["chance_10"] == 1.0
    assert cases["Techno"]["raised"] == pytest.approx(1.0)
    assert cases["Techno"]["above"] == 0.0


def test_a_word_that_fell_does_not_count() -> None:
    clips = {"Techno": heard(0.1, techno=0.01), "Harp": heard(0.1, harp=0.01)}
    result = figures(clips)
    assert (result["first_10"], result["raises"]) == (0.0, 0.0)
    assert {case["rank"] for case in result["cases"]} == {50}


def test_clips_of_the_same_word_are_not_held_against_each_other() -> None:
    clips = {
        "Techno": heard(0.1, techno=0.8),
        "Minimal Techno": heard(0.1, techno=0.8),
        "Harp": heard(0.1, techno=0.2),
    }
    cases = {case["prompt"]: case for case in figures(clips)["cases"]}
    assert cases["Techno"]["raised"] == pytest.approx(4.0)


def test_the_ceiling_is_of_the_same_terms_and_the_card_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played, corpus, out = (tmp_path / f"{name}.json" for name in ("played", "corpus", "tagger"))
    clips = {"Techno": heard(0.1, techno=0.9), "Harp": heard(0.1, harp=0.01)}
    played.write_text(json.dumps(clips))
    corpus.write_text(json.dumps(clips | {"Cello": heard(0.1, cello=0.01)}))
    arguments = ["tagger", "figures", str(played), "--ceiling", str(corpus), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert main() == 0
    result = json.loads(out.read_text())
    assert (result["terms"], result["ceiling"]["terms"]) == (2, 2)
    (bar,) = (bar for bar in BARS if bar.source == "tagger")
    assert bar.show(result).startswith("50 % of 2 terms' words (training corpus 50 %")
    assert not bar.met(result)


def test_nothing_to_compare_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played = tmp_path / "played.json"
    played.write_text(json.dumps({"Techno": heard(0.1, techno=0.9)}))
    out = tmp_path / "tagger.json"
    monkeypatch.setattr(sys, "argv", ["tagger", "figures", str(played), "--out", str(out)])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "play other terms too" in capsys.readouterr().err
    assert not out.exists()


def test_sets_of_seeds_share_no_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: dict[int, list[int]] = {0: [], 1: []}
    monkeypatch.setattr("models.open_engine", lambda _: SimpleNamespace(embed_text=lambda _: None))
    for number, seeds in played.items():

        def play(
            _engine: object, _controls: object, seconds: float, seed: int, to: list[int] = seeds
        ) -> np.ndarray:
            to.append(seed)
            return np.zeros((round(seconds * 48_000), 2), np.float32)

        monkeypatch.setattr("models.evaluation.measures.play", play)
        render(tmp_path / str(number), "engine", number)
    assert len(set(played[0] + played[1])) == 2 * len(WORDS)


def test_tagging_does_not_import_the_project() -> None:
    script = Path(__file__).parents[3] / "models" / "evaluation" / "tagger.py"
    code = (
        f"import runpy, sys; runpy.run_path({str(script)!r}); "
        "sys.exit(any(name.split('.')[0] in ('models', 'torch') for name in sys.modules))"
    )
    # isolated, and from elsewhere, as in the tagger's own environment
    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=script.parent)
