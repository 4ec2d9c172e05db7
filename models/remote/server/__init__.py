"""Server: an engine for clients elsewhere."""
