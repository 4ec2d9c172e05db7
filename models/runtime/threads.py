"""How many threads the embedded engine computes with: one. Inference lane.

Measured on two cores, with training beside it: one thread 59 to 77 ms a block, two 91 to 110 ms,
and with the pools that torch and NumPy's BLAS make by themselves, 208 ms beside the window. Passes
over six tokens have little to share out, and threads of a pool wait for each other in busy loops,
on the cores that the window and the sound need. One thread also gives the same samples everywhere.
"""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits


def use_one_thread() -> None:
    """In the thread that will compute: torch keeps the number of each thread by itself."""
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
