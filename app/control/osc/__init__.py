"""Open Sound Control over UDP: messages, inbox, server, and a layout for TouchOSC."""
