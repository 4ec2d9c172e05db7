"""Outputs of the parts: channels of their own on a device that has more than two."""
