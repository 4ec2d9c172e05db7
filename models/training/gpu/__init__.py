"""Training on a machine with a GPU that is lent for a limited time."""
