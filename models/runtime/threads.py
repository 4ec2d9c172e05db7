"""Number of threads that the embedded engine computes with: one.

Passes over six tokens parallelize badly, and the threads of a pool wait for each other in busy
loops on the cores that the GUI thread and the audio process need. One thread also gives the same
samples on every machine.
"""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits


def use_one_thread() -> None:
    """Limit torch and BLAS to one thread; call it in the computing thread."""
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
