"""Client: an engine on a server as an engine here."""
