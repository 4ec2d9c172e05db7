"""The ladder: which link of the chain moves the sound how far from the corpus and from real music.

    python -m models.evaluation ladder --real FOLDER --clips 60 --seconds 20 --out DIR
        --tagger PYTHON_OF_MUSICNN

Each rung is a folder of clips of the same held-out songs or prompts, made with one link more than
the rung before: the corpus; the codec alone; the songs' true scores through renderer and codec; the
arranger's scores through the corpus' instruments; whole engines. Every rung is compared with the
corpus and with a folder of real music that one names, by two ears:

* `musicnn`: Frechet distance between musicnn's embeddings (16 kHz, mono): what kind of music it is.
* `full band`: distances of ten plain features of 48 kHz stereo (`fullband`): what musicnn cannot
  tell, such as highs, attacks and width.

Two further rungs say how small a distance can be at all: other songs of the corpus against the
corpus, and other real music against real music.

Real music is only measured: any folder of audio files does, and nothing of it is stored but
excerpts in DIR. The measurement in the model card used the music of three free games, as Debian
packages it (wesnoth-1.16-music, hyperrogue-music, singularity-music).

musicnn needs TensorFlow and so an environment of its own; see `models.evaluation.tagger`. Without
`--tagger` its columns stay empty. Audio is kept in DIR, a folder a rung, and made only where it is
missing: a run that was stopped goes on, and a new engine is measured against what is there.
"""
