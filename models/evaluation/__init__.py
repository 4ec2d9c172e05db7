"""Measurements of the embedded engine with independent ears. Offline; nothing here is shipped.

    python -m models.evaluation all --out runs/evaluation     every measurement, and the card
    python -m models.evaluation tempo key --out runs/evaluation

Each measurement writes NAME.json (figures and cases) and, where a picture says more, NAME.png;
`card` writes them into resources/weights/MODEL.md. Needs the extra `evaluation`.
"""
