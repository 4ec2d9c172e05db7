"""Teaching a sound: the dialog, and the process that learns."""
