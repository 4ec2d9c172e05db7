"""Inference thread: a QThread that owns the stream and keeps the plan filled."""
