"""TFLite networks in torch: the reader of their files, and their operators."""
