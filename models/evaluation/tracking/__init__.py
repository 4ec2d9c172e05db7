"""The trackers of `models.music.tracking` against the corpus, which knows the truth. Offline.

    python -m models.evaluation tracking --out runs/tracking            40 held-out songs
    python -m models.evaluation tracking --out runs/tracking --real FOLDER

Writes tracking.json. Beats count as they were foreseen, 1.5 s ahead; chords as they stand at the
moment. librosa and essentia hear the same sound with all of it before them. Of real music the truth
is unknown: the beats foreseen are compared with those that librosa and essentia find.
"""
