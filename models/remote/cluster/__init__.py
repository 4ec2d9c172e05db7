"""Cluster: the server for many players, as an application of Ray Serve (extra `serve`)."""
