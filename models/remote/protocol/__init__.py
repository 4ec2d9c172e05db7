"""Protocol between a client and a server of engines: messages, values, audio, addresses."""
