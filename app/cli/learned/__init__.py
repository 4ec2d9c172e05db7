"""Commands for learned sounds: teach, export, import, delete."""
