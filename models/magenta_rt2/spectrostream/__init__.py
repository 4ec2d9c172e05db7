"""SpectroStream: the neural codec of Magenta RealTime 2."""
