"""Dream: the studio's sound heard anew by the renderer, block by block."""
