"""Prompts in the window: mixer, strips, editor, map."""
