"""Studio: renders the arranger's score as sound, block by block.

Everything is in numpy and a pure function of (state, notes, settings): `studio.Studio.block`.
"""
