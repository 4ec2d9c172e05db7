"""Codec: sound to 25 latent frames a second and back, whole or streaming."""

from models.segue.codec.codec import Codec, DecodingState, EncoderState

__all__ = ["Codec", "DecodingState", "EncoderState"]
