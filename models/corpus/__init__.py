"""Corpus: composer and sound renderer of labelled music for training."""
