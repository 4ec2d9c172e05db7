"""Depthformer: the transformer of Magenta RealTime 2."""
