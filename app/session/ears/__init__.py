"""Ears: hear the input in a process of their own, and steer the plan with what they found."""
