"""Notes in a recording of several voices, with how sure each of them is."""
