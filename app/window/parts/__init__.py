"""Part strips: the band as a mixer of five parts."""
