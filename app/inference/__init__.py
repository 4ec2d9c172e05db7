"""Inference thread: a QThread that owns the engine and its stream and fills the plan."""
