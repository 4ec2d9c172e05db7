"""Engines on another machine: the server, the client engine, and the protocol between them."""
