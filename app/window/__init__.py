"""Window of the instrument: Qt widgets, in the GUI thread. Imports no torch."""
