"""Sound of the corpus: instruments, effects, mix."""
