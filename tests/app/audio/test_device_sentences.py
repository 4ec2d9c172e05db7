"""What is said of a device that stops: the sound server is named where it is the cause."""

from __future__ import annotations

import pytest

from app.audio.device_sentences import lost_sentence, null_sentence, restart_sentence

JACK = "system (JACK Audio Connection Kit)"
CARD = "Scarlett 2i2 (ALSA)"


@pytest.mark.parametrize(
    ("hung", "lost", "words"),
    [
        (False, "", "it stopped"),
        (False, JACK, "it stopped"),
        (True, "", "a device hung"),
        (True, JACK, "the JACK server ended or no longer answers"),
        (True, CARD, "'Scarlett 2i2 (ALSA)' ended or no longer answers"),
    ],
)
def test_why_the_process_was_started_again(hung: bool, lost: str, words: str) -> None:
    assert restart_sentence(hung, lost) == f"the audio process was started again ({words})."


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        (lost_sentence(JACK), "the JACK server stopped: looking for it again."),
        (lost_sentence(CARD), "'Scarlett 2i2 (ALSA)' stopped: looking for it again."),
        (null_sentence("", JACK), "the JACK server is not there: "),
        (null_sentence("", ""), "there is no audio device: "),
        (null_sentence("the audio device 'x' is not there", ""), "the audio device 'x' is not"),
    ],
)
def test_what_stopped_is_named(sentence: str, words: str) -> None:
    assert sentence.startswith(words) and sentence.endswith(".")
