"""Dialogs and sheets over the window."""
