"""Torch at run time: device, threads, traced functions, packed weights."""
