"""Training of the embedded engine: one command per stage, each resumable.

python -m models.training --out runs/segue            all stages, from nothing to weights
python -m models.training --out runs/segue --from flow

corpus    python -m models.corpus              labelled music in clips of 30 s
codec     python -m models.training.codec      sound <-> latents
style     python -m models.training.style      text head and audio tower
latents   python -m models.training.latents    the corpus encoded by the frozen codec
arranger  python -m models.training.arranger   writes the score; needs no audio
flow      python -m models.training.renderer   score, style and context -> latents
guides    python -m models.training.guided_latents   new songs with guides; for flow --guided
student   python -m models.training.guided_student   guides for weights of two passes
distil    python -m models.training.distil     the same in two steps, guidance as an input
arc       python -m models.training.arc.forcing   on its own rollouts, against a discriminator
shards    python -m models.training.gpu.shards    the training set, to travel to a GPU
GPU run   python -m models.training.gpu.run       flow, distil and arc in a limited time
manifest  python -m models.storage.weights     checksums of the shipped weights
"""
