"""Table of chord progressions by idiom and mode, in roman numerals.

Bars are separated by |, chords that share a bar by a space. Capitals are major, small letters
minor; suffixes: 7 maj7 9 maj9 6 sus 5 (power) o (diminished) h (half diminished) + (augmented).
Roots are counted on the major scale of the tonic, so minor keys write bIII, bVI, bVII.
"""

from __future__ import annotations

from typing import Final

GENERIC: Final[dict[str, tuple[str, ...]]] = {
    # used where a pool says nothing about a mode
    "major": ("I|V|vi|IV", "I|IV|V|I", "I|IV|I|V", "I|vi|IV|V", "I|iii|IV|V"),
    "minor": ("i|bVI|bIII|bVII", "i|iv|v|i", "i|bVII|bVI|bVII", "i|i|iv|i", "i|bVI|iv|v"),
    "dorian": ("i|IV|i|IV", "i|bVII|IV|i", "i7|IV7|i7|IV7", "i|ii|i|IV"),
    "mixolydian": ("I|bVII|IV|I", "I|bVII|I|bVII", "I|v|IV|I", "I|IV|bVII|I"),
    "lydian": ("I|II|I|II", "Imaj7|II|Imaj7|V", "I|II|vi|I"),
    "phrygian": ("i|bII|i|bII", "i|bII|bIII|bII", "i|bvii|bII|i"),
    "harmonic_minor": ("i|iv|V|i", "i|V7|i|V7", "i|bVI|V7|i", "i|iv|i|V7"),
    "phrygian_dominant": ("I|bII|I|bII", "I|iv|bII|I", "I|bvii|bII|I", "I|I|bII|I"),
    "pentatonic_minor": ("i|i|bVII|i", "i|bIII|bVII|i", "i|bVII|i|v"),
    "pentatonic_major": ("I|V|vi|I", "I|vi|I|V", "I|ii|V|I"),
}

PROGRESSIONS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "pop": {
        "major": ("I|V|vi|IV", "I|vi|IV|V", "I|IV|vi|V", "I|iii|IV|V", "I|IV|V|IV", "I|ii|IV|V", "I|V|IV|V", "I|IV|I|V", "Isus I|V|vi|IV", "I|I|vi|IV"),
        "minor": ("i|bVI|bIII|bVII", "i|bVII|bVI|bVII", "i|bIII|bVII|bVI", "i|iv|bVI|v", "i|bVI|iv|bVII", "i|v|bVI|bVII", "i|bVI|bVII|i"),
    },
    "pop_seventh": {
        "major": ("Imaj7|vi7|ii7|V7", "Imaj7|iii7|IVmaj7|V7", "Imaj7|IVmaj7|iii7|vi7", "I|vi7|IVmaj7|V", "Imaj7|V|vi7|IVmaj7"),
        "minor": ("i7|bVImaj7|bIIImaj7|bVII", "i7|iv7|bVII7|bIIImaj7", "i7|v7|bVImaj7|bVII", "i9|bVImaj7|iv9|v7"),
        "dorian": ("i9|IV9|i9|IV9", "i7|ii7|i7|IV7", "i7|bVII|IV7|i7"),
    },
    "rnb": {
        "major": ("Imaj9|vi9|ii9|V9", "Imaj7|iii7|vi9|ii9 V7", "IVmaj9|iii7|vi9|Imaj7", "Imaj9|IVmaj9|Imaj9|IVmaj9", "Imaj7|III7|vi7|IVmaj7"),
        "minor": ("i9|bVImaj9|iv9|v7", "i9|iv9|i9|bVII9", "i9|v7|bVImaj7|bVII9", "i9|bVImaj7|bIIImaj7|bVII"),
        "dorian": ("i9|IV9", "i9|ii7|i9|IV9", "i9|i9|IV9|IV9"),
    },
    "blues": {
        "major": ("I7|I7|I7|I7|IV7|IV7|I7|I7|V7|IV7|I7|V7", "I7|IV7|I7|I7|IV7|IV7|I7|I7|V7|IV7|I7|I7", "I7|I7|IV7|I7", "I7|IV7|I7|V7"),
        "minor": ("i7|i7|i7|i7|iv7|iv7|i7|i7|bVI7|V7|i7|i7", "i7|i7|iv7|i7", "i7|iv7|i7|V7"),
        "mixolydian": ("I7|I7|I7|I7|IV7|IV7|I7|I7|V7|IV7|I7|V7", "I7|I7|IV7|I7", "I7|I7|I7|I7"),
        "pentatonic_minor": ("I7|I7|I7|I7|IV7|IV7|I7|I7|V7|IV7|I7|I7", "I7|I7|IV7|I7"),
    },
    "power": {
        "major": ("I5|IV5|V5|IV5", "I5|V5|vi|IV5", "I5|bVII5|IV5|I5", "I5|I5|IV5|V5"),
        "minor": ("I5|bVI5|bVII5|I5", "I5|bIII5|bVII5|IV5", "I5|I5|bVI5|bVII5", "I5|bVII5|bVI5|V5", "I5|I5|bIII5 IV5|I5"),
        "mixolydian": ("I5|bVII5|IV5|I5", "I5|I5|bVII5|IV5", "I5|IV5|I5|bVII5 IV5"),
        "dorian": ("I5|bIII5|IV5|I5", "I5|IV5|I5|bVII5"),
        "pentatonic_minor": ("I5|bIII5 IV5|I5|bVII5", "I5|I5|bVII5|IV5", "I5|IV5|bIII5|I5"),
    },
    "metal": {
        "minor": ("I5|I5|bVI5|bVII5", "I5|bVI5|bIII5|bVII5", "I5|I5|I5|bVII5 bVI5", "I5|bIII5|bVI5|V5"),
        "phrygian": ("I5|I5|bII5|I5", "I5|bII5|bIII5|bII5", "I5|I5|I5|bII5 bIII5"),
        "harmonic_minor": ("I5|IV5|bVI5|V5", "i|bVI|iv|V", "I5|I5|bVI5|V5"),
        "phrygian_dominant": ("I5|bII5|I5|bII5", "I5|I5|bII5|bVII5"),
    },
    "jazz": {
        "major": ("Imaj7 VI7|ii7 V7|iii7 VI7|ii7 V7", "Imaj7|vi7|ii7|V7", "Imaj7|ii7 V7|Imaj7|ii7 V7", "Imaj7|I7|IVmaj7|iv7|Imaj7|VI7|ii7 V7|Imaj7", "I6|II7|ii7 V7|I6", "I7|IV7|I7|I7|IV7|IV7|I7|VI7|ii7|V7|I7 VI7|ii7 V7"),
        "minor": ("i7|i7|iih|V7", "i7|iv7|iih V7|i7", "i7 bVI7|iih V7|i7 bVI7|iih V7", "i7|i7|i7|i7|iv7|iv7|i7|i7|bVI7|V7|i7|V7", "i7|iv7|bVII7|bIIImaj7|bVImaj7|iih|V7|i7"),
        "dorian": ("i7|i7|i7|i7|bii7|bii7|i7|i7", "i9|IV7|i9|IV7", "i7|ii7|i7|ii7"),
    },
    "latin": {
        "major": ("I6|ii7 V7|I6|V7", "Imaj7|vi7|ii7|V7", "I|IV|V7|IV", "I6|V7|V7|I6"),
        "minor": ("i7|iv7|V7|i7", "i7|i7|iih|V7", "i|iv|V7|iv", "i7|bVII7|bVImaj7|V7", "i7|V7|V7|i7"),
        "dorian": ("i7|IV7|i7|IV7", "i9|i9|IV7|IV7"),
    },
    "bossa": {
        "major": ("Imaj7|Imaj7|II7|II7|ii7|V7|Imaj7|V7", "Imaj9|vi7|ii9|V7", "Imaj7|bIIImaj7|ii7|V7", "I6|#io|ii7|V7", "Imaj7|IVmaj7|iii7 VI7|ii7 V7"),
        "minor": ("i9|iv9|V7|i9", "i7|iih|V7|i7", "i7|bVImaj7|iih|V7"),
    },
    "funk": {
        "mixolydian": ("I9|I9|I9|I9", "I9|I9|IV9|I9", "I7|bVII|IV7|I7", "I9|IV9|I9|IV9"),
        "dorian": ("i7|IV7|i7|IV7", "i9|i9|i9|IV9", "i7|i7|bIII bVII|i7", "i9|IV9|i9|bVII IV"),
        "minor": ("i7|i7|iv7|i7", "i7|bVII|bVImaj7|v7", "i9|iv9|i9|v7"),
        "major": ("Imaj7|vi7|ii7|V7", "I|IV|ii7|V7"),
    },
    "disco": {
        "minor": ("i7|iv7|bVII|bIIImaj7", "i7|v7|bVImaj7|bVII", "i7|i7|iv7|bVII"),
        "dorian": ("i7|IV7|i7|IV7", "i9|IV|bVII|i9", "i7|ii7|i7|IV7"),
        "major": ("Imaj7|vi7|ii7|V7", "I|iii7|IVmaj7|V7"),
    },
    "club": {
        "minor": ("i|i|i|i", "i|bVI|bVII|i", "i|bVI|bIII|bVII", "i|i|bVI|bVII", "i7|iv7|i7|v7", "i|bVII|bVI|bVI", "i|i|iv|v"),
        "dorian": ("i|i|IV|IV", "i7|i7|i7|IV"),
        "phrygian": ("i|i|bII|i", "i|i|i|bII"),
        "major": ("I|V|vi|IV", "Imaj7|vi7|IVmaj7|V", "I|IV|vi|V"),
        "harmonic_minor": ("i|bVI|iv|V", "i|i|bVI|V"),
    },
    "drone": {
        "major": ("I|I|I|I", "I|I|V|I"),
        "minor": ("i|i|i|i", "i|i|bVII|i"),
        "dorian": ("i|i|i|i", "i|i|IV|i"),
        "mixolydian": ("I|I|I|I", "I|I|bVII|I"),
        "lydian": ("I|I|I|I", "I|I|II|I"),
        "phrygian": ("i|i|i|i", "i|i|bII|i"),
        "phrygian_dominant": ("I|I|I|I", "I|I|bII|I"),
        "harmonic_minor": ("i|i|i|i",),
        "pentatonic_minor": ("I5|I5|I5|I5",),
        "pentatonic_major": ("I5|I5|I5|I5", "I|I|I|I"),
    },
    "ambient": {
        "major": ("Imaj7|IVmaj7|Imaj7|IVmaj7", "Imaj9|vi7|IVmaj9|Isus", "I|IVmaj7|vi7|I", "Isus|I|IVmaj7|I"),
        "minor": ("i9|bVImaj7|i9|bVII", "i7|bIIImaj7|bVImaj7|i7", "i|bVImaj7|bIII|i", "i|v|bVI|i"),
        "dorian": ("i9|IV|i9|IV", "i7|ii|i7|bVII"),
        "lydian": ("Imaj7|II|Imaj7|II", "Imaj9|II|vi7|Imaj9"),
    },
    "folk": {
        "major": ("I|IV|I|V", "I|I|IV|I|V|V|I|I", "I|V|I|V", "I|IV|V|I", "I|vi|IV|V", "I|I|V|I", "I|IV|I V|I"),
        "minor": ("i|bVII|i|v", "i|bVII|bVI|bVII", "i|iv|i|v", "i|bIII|bVII|i"),
        "dorian": ("i|bVII|i|bVII", "i|IV|i|bVII", "i|i|bVII|i"),
        "mixolydian": ("I|bVII|I|bVII", "I|I|bVII|I", "I|bVII|IV|I"),
    },
    "indie": {
        "major": ("I|IVmaj7|I|IVmaj7", "I|iii|IV|iv", "I|V|ii|IV", "I|vi|iii|IV", "Isus|IV|vi|V", "I|IV|ii|V"),
        "minor": ("i|bIII|bVII|iv", "i|bVI|bIII|v", "i|iv|bVI|bIII"),
        "mixolydian": ("I|v|IV|I", "I|bVII|IV|IV"),
    },
    "irish": {
        "major": ("I|I|IV V|I", "I|V|I|V", "I|IV|I V|I", "I|vi|IV V|I"),
        "dorian": ("i|i|bVII|bVII|i|i|bVII|i", "i|bVII|i|bVII i", "i|bVII|bIII bVII|i"),
        "mixolydian": ("I|I|bVII|I", "I|bVII|I|bVII", "I|I|bVII IV|I"),
        "minor": ("i|bVI|bVII|i", "i|i|bVII|i"),
    },
    "klezmer": {
        "phrygian_dominant": ("I|I|bII|I", "I|iv|I|bII", "I|bvii|I|I", "I|iv|bvii|I", "I|I|bvii|I"),
        "harmonic_minor": ("i|i|iv|V7", "i|V7|i|V7", "i|iv|V7|i", "i|bIII bVII|iv V7|i"),
        "minor": ("i|i|iv|i", "i|bVII|bIII|V7"),
        "major": ("I|V7|I|V7",),
    },
    "tango": {
        "harmonic_minor": ("i|V7|V7|i", "i|iv|V7|i", "i|bVI|iv V7|i", "i|i|iv|i|iv|i|V7|i", "i|iih|V7|i"),
        "minor": ("i|iv|V7|i", "i|V7|i|V7", "i|bVII|bVI|V7"),
        "major": ("I|V7|V7|I", "I|vi|ii V7|I"),
    },
    "flamenco": {
        "phrygian_dominant": ("I|bII|I|bII", "iv|bIII|bII|I", "I|bII bIII|bII|I", "I|I|bII|I"),
        "phrygian": ("iv|bIII|bII|I", "I|bII|I|bII"),
    },
    "mariachi": {
        "major": ("I|V7|V7|I", "I|I|V7|V7|V7|V7|I|I", "I|IV|V7|I", "I|I7|IV|V7", "I|V7|I|V7"),
        "minor": ("i|V7|V7|i", "i|iv|V7|i", "i|bVII|bVI|V7"),
    },
    "baroque": {
        "major": ("I V|vi iii|IV I|IV V", "I|V|vi iii|IV V", "I|IV V|I|ii V7", "I vi|ii V|I IV|V I", "I IV|viio iii|vi ii|V I", "I V|I V|vi V|I V7"),
        "minor": ("i V7|i iv|bVII bIII|iv V", "i|iv bVII|bIII bVI|iio V", "i V|i bVII|bIII bVII|i V", "i iv|V7 i|iv i|V i"),
        "harmonic_minor": ("i V7|i V7|iv i|V7 i", "i iv|bVII bIII|bVI iio|V7 i"),
    },
    "renaissance": {
        "dorian": ("i|bVII|i|V", "i bVII|i V|bIII bVII|i V", "i|IV|bVII|i", "bIII|bVII|i|V"),
        "major": ("I|V|vi IV|V", "I IV|I V|I IV|V I", "I|bVII|IV|I"),
        "mixolydian": ("I|bVII|I|bVII", "I|bVII IV|I V|I"),
        "minor": ("i|bVII|bVI|V", "bIII|bVII|i|V"),
    },
    "classical": {
        "major": ("I|V7|V7|I", "I|IV|V7|I", "I|vi|ii|V7", "I|ii V7|I|V", "I IV|I V7|vi ii|V7 I", "I|I|IV I|V"),
        "minor": ("i|iv|V7|i", "i|bVI|iio V7|i", "i|V7|i|V", "i|iv i|bVI V|i"),
    },
    "epic": {
        "minor": ("i|bVI|bIII|bVII", "i|bVI|iv|v", "i|i|bVI|bVII", "i|bVII|iv|bVI", "i|iv|bVI|V"),
        "major": ("I|V|vi|IV", "I|bVII|IV|I", "I|I|bVI bVII|I"),
        "lydian": ("I|II|I|II", "I|II|IV|I"),
        "dorian": ("i|IV|i|IV", "i|bVII|IV|i"),
    },
    "march": {
        "major": ("I|I|V7|V7|V7|V7|I|I", "I|IV|I|V7", "I|I|IV|I|V7|I|II7|V7", "I|V7|I|V7"),
        "minor": ("i|V7|i|V7", "i|iv|V7|i"),
    },
    "ragtime": {
        "major": ("I|I|V7|V7|I|I|V7|I", "I|VI7|II7|V7 I", "I|I7|IV|iv|I|VI7|II7 V7|I", "I VI7|II7 V7|I VI7|II7 V7"),
    },
    "swing": {
        "major": ("I6|VI7|II7|V7", "I6|#io|ii7|V7", "I6|I7|IV6|iv|I6|VI7|II7 V7|I6"),
        "minor": ("i|i|iv|i|V7|V7|i|V7", "i|iv|V7|i", "i|bVI7|V7|i", "i|i|iv|V7", "i bVI7|V7|i|V7"),
        "harmonic_minor": ("i|i|V7|V7|V7|V7|i|i", "i|iv|V7|i"),
    },
    "doo_wop": {
        "major": ("I|vi|IV|V", "I|vi|ii|V7", "I vi|IV V|I vi|IV V", "I|vi7|ii7|V7"),
    },
    "ska": {
        "major": ("I|IV|V|IV", "I|vi|IV|V", "I|ii|V|I", "I|I|IV|V"),
        "minor": ("i|iv|V7|i", "i|bVII|bVI|V", "i|i|iv|V"),
    },
    "dub": {
        "minor": ("i|iv|i|iv", "i|v|i|v", "i|bVII|i|bVII", "i|i|iv|v", "i|i|bVII|i"),
        "dorian": ("i|ii|i|ii", "i|IV|i|IV"),
        "major": ("I|ii|I|ii", "I|IV|I|IV"),
    },
    "afro": {
        "dorian": ("i7|i7|i7|IV7", "i7|IV7|i7|IV7", "i9|i9|i9|i9"),
        "minor": ("i7|i7|iv7|i7", "i7|i7|i7|i7", "i|bVII|i|bVII"),
        "major": ("I|IV|V|IV", "I|IV|I|V", "I|vi|IV|V"),
        "mixolydian": ("I7|I7|IV7|I7", "I7|bVII|I7|bVII"),
    },
    "andean": {
        "minor": ("i|bIII|bVII|bIII|bVI|bIII|V7|i", "i|bIII|bIII|i", "bIII|bIII|V7|i", "i|bIII|V7|i"),
        "pentatonic_minor": ("i|bIII|bIII|i", "i|bIII|bVII|i"),
    },
    "calypso": {
        "major": ("I|IV|V7|I", "I|V7|V7|I", "I|ii|V7|I", "I I7|IV|V7|I"),
    },
    "shona": {
        "major": ("I|vi|IV|I|V|IV|I|vi|IV|I|V|ii", "I|IV|vi|I|IV|V"),
        "mixolydian": ("I|IV|v|I", "I|bVII|IV|I"),
    },
    "vapor": {
        "major": ("Imaj9|IVmaj9|iii7|vi9", "Imaj7|vi7|ii9|V9", "IVmaj7|iii7|ii7|Imaj7"),
        "minor": ("i9|iv9|bVImaj9|bVII9", "i9|bVImaj7|iv9|i9"),
    },
}
