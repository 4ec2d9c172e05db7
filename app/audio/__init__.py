"""Audio output and input: a process of its own, and its handle in the parent process.

The inference thread renders blocks and writes them into the plan with `splice.PlanWriter`. The plan
lies in `ring.PlanRing`, in memory shared with the audio process (`process`), where PortAudio's
callback (`callback.CallbackRenderer`) reads, fades, limits, meters and plays it, and copies the
output into `ring.TapRing`, which the recording follows (`app.recording`). The other threads see all
of it through `output.AudioOutput`.

Positions are plan positions: frames at 48 kHz since the performance began. Up to `read` the plan
was played, from `read` to `end` it is ahead. A pause or an underrun does not advance it.

Neither Qt nor torch is imported in this package.
"""
