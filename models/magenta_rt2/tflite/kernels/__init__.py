"""Operators of TFLite networks, by kind."""
