"""Style loader: requests the styles of prompts from the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.session.document import SessionPrompt
from app.session.steering import StyleBook


class StyleLoader:
    """Style book with the requests that fill it.

    embed_text and embed_audio take a key and a text or a path; the answer goes into `book` under
    that key. Nothing is requested before `engine_ready`.
    """

    def __init__(
        self, embed_text: Callable[[str, str], None], embed_audio: Callable[[str, str], None]
    ) -> None:
        self.book = StyleBook()
        self._embed_text, self._embed_audio = embed_text, embed_audio
        self._engine_ready = False

    def engine_ready(self, prompts: Sequence[SessionPrompt]) -> None:
        """Start over with a new engine, whose styles differ."""
        self._engine_ready = True
        self.book.forget()
        self.request(prompts)

    def request(self, prompts: Sequence[SessionPrompt]) -> None:
        """Request the styles of prompts that are neither known nor requested."""
        if not self._engine_ready:
            return
        for prompt in self.book.take_missing(prompts):
            if prompt.audio is not None:
                self._embed_audio(prompt.style_key, prompt.audio)
            else:
                self._embed_text(prompt.style_key, prompt.text)

    def retry(self, prompt: SessionPrompt) -> None:
        """Request a style again that failed."""
        self.book.retry(prompt.style_key)
        self.request((prompt,))

    def ready_keys(self, prompts: Sequence[SessionPrompt]) -> frozenset[str]:
        """Keys of the prompts whose style is known."""
        return frozenset(p.style_key for p in prompts if self.book.state(p)[0] == "ready")
