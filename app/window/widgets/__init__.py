"""Widgets shared by all panels."""
