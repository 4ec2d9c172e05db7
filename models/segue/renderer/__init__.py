"""Renderer: the diffusion model from score, style and context to latents."""
