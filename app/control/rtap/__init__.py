"""Accompaniment over OSC and UDP, as the RTAP server and its Max/MSP client speak it."""
