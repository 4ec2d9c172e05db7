"""MIDI: messages, controller maps, learn mode, takeover, feedback, held notes, clock, ports."""
