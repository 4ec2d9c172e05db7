"""The published files of Magenta RealTime 2: revision, sizes and digests.

Fetched files are compared with these and not with what the hub says alone, so that a file that was
exchanged there is noticed. Of a checkpoint the digest's first eight digits are known, and of one
not the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REVISION: Final = "010aa0dcb0dfd27b24f0ad07b4dad63e8f9521cc"
"""The commit that is fetched unless another one is asked for."""


@dataclass(frozen=True)
class PublishedFile:
    """Size in bytes, None where it is not known, and the beginning of the SHA-256 in hex."""

    size: int | None
    sha256: str


def _resource(path: str, size: int, sha256: str) -> tuple[str, PublishedFile]:
    return f"resources/{path}", PublishedFile(size, sha256)


FILES: dict[str, PublishedFile] = dict(
    (
        _resource(
            "musiccoca/audio_preprocessor.tflite", 8_729_640,
            "656ca4c358451c2b85932e66efcfd2ba62492f4435953d775bfc1d3c08329a30",
        ),
        _resource(
            "musiccoca/mapper.tflite", 86_166_664,
            "2f9743cc8f121a588b69c7f4d79a2a4111ce81864cbde8830054cd5e97f3d717",
        ),
        _resource(
            "musiccoca/music_encoder.tflite", 370_935_584,
            "0d4501af799834e383d904c34ee826c61eb53c69682bf15a981a46c1bb32793a",
        ),
        _resource(
            "musiccoca/pretrained_vector_quantizer.tflite", 72_422_108,
            "7a8a19e2119ad405818eae84a331a970f1a582b3389d4bfd27814f75b455a444",
        ),
        _resource(
            "musiccoca/spm.model", 517_448,
            "ff325a99b61ba5726cf6437cde6eefbb633dbaa363a684f7a97ed99b55202cca",
        ),
        _resource(
            "musiccoca/text_encoder.tflite", 418_674_324,
            "e1222e3418cbe8cc2623939571bae8e9ab6f0d511404b0d83da69f4e6e11b272",
        ),
        _resource(
            "spectrostream/encoder.safetensors", 37_013_392,
            "f20c197ddcbb9cd43e1a97f9bee0d07d211f79966cd3862d9830a32885090f72",
        ),
        ("checkpoints/mrt2_small.safetensors", PublishedFile(1_128_840_272, "5dd1cbc7")),
        ("checkpoints/mrt2_base.safetensors", PublishedFile(None, "60f3e813")),
    )
)  # fmt: skip
"""By their paths; the same for all who publish them. Not `Final`: tests publish others."""


def fault_of_size(path: str, size: int) -> str | None:
    """That a file is not the published one by its size, in words; None where it may be."""
    published = FILES.get(path)
    if published is None or published.size in (None, size):
        return None
    return f"is not the published one: it has {size} bytes and not {published.size}"


def fault_of_file(path: str, size: int, sha256: str) -> str | None:
    """That a file is not the published one, in words; None where it is, or is not known."""
    published = FILES.get(path)
    if published is None or sha256.startswith(published.sha256):
        return fault_of_size(path, size)
    short = published.sha256[:8]
    return f"is not the published one: its SHA-256 begins with {sha256[:8]} and not {short}"
