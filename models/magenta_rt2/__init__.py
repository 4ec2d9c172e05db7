"""Magenta RealTime 2 in PyTorch, behind the common engine interface.

Written from the paper and from Google's JAX implementation (`magenta-rt` 2.0.3, Apache-2.0), which
fixes every shape; the code is our own. Nothing heavy is imported here.
"""
