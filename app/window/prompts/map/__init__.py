"""Prompt map: prompts in a plane, mixed by their distance from a cursor."""
