"""Adversarial training of the renderer on its own rollouts (ARC-Forcing)."""
