"""Open Sound Control over UDP: messages, inbox, server, a layout for TouchOSC."""
