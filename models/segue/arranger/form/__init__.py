"""Form: which section plays, which parts are in it, fills, and themes that come back."""
