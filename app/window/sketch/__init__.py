"""Sketches: sung, tapped or drawn, shown as a drawing."""
