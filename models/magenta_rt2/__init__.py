"""Magenta RealTime 2 in PyTorch: an engine behind the common interface. Inference lane.

Written from the paper and from the JAX implementation that Google published under Apache-2.0
(`magenta-rt` 2.0.3), which fixes every shape; the code is our own. Nothing heavy is imported here.
"""
