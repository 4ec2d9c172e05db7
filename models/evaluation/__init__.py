"""Measurements of the embedded engine with independent ears. Offline; nothing here is shipped.

    python -m models.evaluation all --out runs/evaluation     every measurement, and the card
    python -m models.evaluation tempo key --out runs/evaluation
    python -m models.evaluation ladder --real FOLDER --clips 60 --seconds 20 --out runs/ladder
    python -m models.evaluation tracking --out runs/tracking

Each measurement writes NAME.json (figures and cases) and, where a picture says more, NAME.png;
the ladder (models.evaluation.ladder) compares every link of the chain with corpus and real music;
`card` writes them into resources/weights/MODEL.md. Needs the extra `evaluation`.
"""
