"""Audio input: what the performer plays, on the clock of what is heard.

PortAudio's callback (`capture.InputCapture`) copies raw frames, and a thread of the audio process
(`host.InputHost`) converts them (`converter`): other rates and drifting clocks by soxr, gain,
low-cut, gate. They go into a ring in shared memory at the frame of the output's clock that was
heard when they were played, so that a reader (`history.InputHistory`) needs only a plan position.
The input is held in memory for some seconds, and nothing here writes it to disk.
"""
