"""The studio: the arranger's score becomes sound, block by block.

Everything is pure numpy and a pure function of (state, notes, settings): `studio.Studio.block`.
"""
