"""Sound that never stops: the audio lane and its handle in the parent process.

How the lanes hang together. The inference lane (`app.inference.worker`) renders blocks and puts
them into the plan through `splice.PlanWriter`. The plan lies in `ring.PlanRing`, in memory shared
with a process of its own (`process`), where PortAudio's callback (`player.Player`) reads it, fades,
limits, meters and plays it, and puts what was heard into a second ring, `ring.TapRing`, from which
the recording follows (`app.recording`). The GUI lane sees all of it through `output.AudioOutput`.

Every position is a plan position: frames at 48 kHz since the performance began. Before `read` it
was heard, from `read` to `end` it is planned. A pause or an underrun does not advance it.

This package imports neither Qt nor torch, and neither does any module in it.
"""
