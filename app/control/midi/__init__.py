"""MIDI: messages, kinds of controls, maps, learning, takeover, feedback, notes, clock, ports.

Everything but the ports is pure and runs in the GUI lane; the ports' threads only fill inboxes.
"""
