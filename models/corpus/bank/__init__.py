"""Builder of the studio's instrument bank (`python -m models.corpus.bank`)."""
