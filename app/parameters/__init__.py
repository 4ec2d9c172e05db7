"""Parameters of the instrument: definition, registry and catalogue."""
