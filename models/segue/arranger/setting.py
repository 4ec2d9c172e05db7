"""Setting network: metre, kit, instruments, tempo, swing and mode for a style.

The choices are made one after the other, each knowing
those before, so that they fit together: a band, not a bag of instruments.

A choice is the largest of log p / temperature + noise, where the noise is drawn once per stream
(Gumbel-max, Maddison et al. 2014, section 2). While the prompts' mix moves, a choice therefore
changes only when its odds have really moved past another's, and comes back when the mix does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.music.harmony import MINOR_LIKE
from models.music.score import INSTRUMENTS, KITS, MODE_NAMES
from models.segue.arranger.idiom.idiom import Idiom
from models.segue.arranger.steps import BPM_BINS, METRES, SWINGS, Setting, bpm_at, bpm_bin

VARIABLES: Final = (
    ("metre", len(METRES)),
    ("kit", len(KITS)),
    ("chords", len(INSTRUMENTS)),
    ("lead", len(INSTRUMENTS)),
    ("bass", len(INSTRUMENTS)),
    ("extra", len(INSTRUMENTS)),
    ("bpm", BPM_BINS),
    ("swing", len(SWINGS)),
    ("mode", len(MODE_NAMES)),
)
"""Name and number of values of each choice, in the order in which they are made."""
_EDGES: Final = tuple(int(v) for v in np.cumsum([0] + [size for _, size in VARIABLES]))
CHOICES: Final = _EDGES[-1]
TEMPERATURE: Final = 0.6
NOBODY: Final = {"kit": KITS.index("none")} | dict.fromkeys(
    ("chords", "lead", "bass", "extra"), INSTRUMENTS.index("none")
)
"""The value that leaves a part out, by the names of the choices that have one."""
RARE: Final = 0.15


class SettingNet(nn.Module):
    """Setting network: odds of each choice given those before.

    Inputs are the style (B, style_dim) and a flag (B, 1), 0 where there is none.
    """

    def __init__(self, style_dim: int = 128, width: int = 256) -> None:
        super().__init__()
        self.read = nn.Sequential(
            nn.Linear(style_dim + 1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.starts = nn.ModuleList(nn.Linear(width, 128) for _ in VARIABLES)
        self.hear = nn.ModuleList(
            nn.Linear(max(1, _EDGES[i]), 128, bias=False) for i in range(len(VARIABLES))
        )
        self.heads = nn.ModuleList(nn.Linear(128, size) for _, size in VARIABLES)

    @property
    def style_dim(self) -> int:
        """Numbers of a style."""
        return int(self.read[0].in_features) - 1

    def begin(self, style: Tensor, styled: Tensor) -> Tensor:
        """(B, width) features of the style."""
        read: Tensor = self.read(torch.cat([style, styled], -1))
        return read

    def odds(self, index: int, read: Tensor, chosen: Tensor) -> Tensor:
        """(B, size) logits of VARIABLES[index]; chosen (B, CHOICES) one-hot, filled up to it."""
        layer = self.starts[index](read)
        if index:
            layer = layer + self.hear[index](chosen[:, : _EDGES[index]])
        logits: Tensor = self.heads[index](F.silu(layer))
        return logits

    def loss(self, style: Tensor, styled: Tensor, targets: Tensor) -> Tensor:
        """Mean surprise over a batch; targets (B, len(VARIABLES)) long."""
        sizes = [size for _, size in VARIABLES]
        hot = [F.one_hot(targets[:, i], size) for i, size in enumerate(sizes)]
        chosen = torch.cat(hot, -1).float()
        read = self.begin(style, styled)
        losses = [
            F.cross_entropy(self.odds(i, read, chosen), targets[:, i]) for i in range(len(sizes))
        ]
        return torch.stack(losses).sum()


def setting_codes(setting: Setting) -> NDArray[np.int64]:
    """(len(VARIABLES),) the choices of a setting."""
    bass, chords, lead, extra = setting.instruments
    swing = int(np.abs(np.array(SWINGS) - setting.swing).argmin())
    tempo = int(bpm_bin(setting.bpm))
    return np.array(
        [setting.metre, setting.kit, chords, lead, bass, extra, tempo, swing, setting.mode]
    )


@torch.inference_mode()
def odds_of(net: SettingNet, name: str, styles: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, values) log-odds of a choice for styles (n, style_dim), the likeliest made before it."""
    count = len(styles)
    read = net.begin(torch.from_numpy(np.array(styles, np.float32)), torch.ones(count, 1))
    chosen = torch.zeros(count, CHOICES)
    for index, (variable, _) in enumerate(VARIABLES):
        logits = net.odds(index, read, chosen).log_softmax(-1)
        if variable == name:
            return np.asarray(logits.numpy(), np.float32)
        chosen[torch.arange(count), _EDGES[index] + logits.argmax(-1)] = 1.0
    raise ValueError(f"{name!r} is no choice of a setting")


def cleared(share: float) -> float:
    """A probability, rarer still where it is under RARE, and likewise at the other end: a part that
    a style's songs never lack has a percent or two by the network's blur alone.
    """
    if share > 0.5:
        return 1.0 - cleared(1.0 - share)
    return share if share > RARE else share**3 / RARE**2


def with_share(odds: NDArray[np.float32], index: int, share: float) -> NDArray[np.float32]:
    """Log-odds whose value `index` has the probability `share`; the others keep their ratios.

    Temperature and guidance sharpen a choice, which is wanted of which instrument plays; of whether
    a part plays at all it would leave out for good whatever plays in fewer than half of the songs.
    """
    share = min(max(share, 1e-4), 1.0 - 1e-4)
    others = np.delete(odds, index)
    top = float(others.max())
    total = top + float(np.log(np.exp(others - top).sum()))
    out = odds - np.float32(total - np.log1p(-share))
    out[index] = np.log(share)
    return out


class SettingNoise(NamedTuple):
    """Noise of a stream's setting: Gumbel (CHOICES,), and a uniform number for the tempo."""

    gumbel: NDArray[np.float32]
    tempo: float

    @classmethod
    def of(cls, seed: int) -> SettingNoise:
        """The noise of a stream's seed."""
        rng = np.random.default_rng([seed & 0xFFFFFFFF, 0x5E77])
        gumbel = rng.gumbel(size=CHOICES).astype(np.float32)
        return cls(gumbel, float(rng.random()))


_MINOR: Final = np.array([mode in MINOR_LIKE for mode in MODE_NAMES], np.float32)


def _usual(name: str, idiom: Idiom) -> NDArray[np.float32] | float:
    """Log-odds that an idiom adds to a choice."""
    if name == "bpm":
        return idiom.tempo
    return idiom.minor * _MINOR if name == "mode" else 0.0


def _nearest_player(drawn: NDArray[np.float32], nobody: int) -> tuple[float, int]:
    """The likeliest instrument of a part, and its log-odds against nobody."""
    player = int(np.argmax(np.where(np.arange(len(drawn)) == nobody, -np.inf, drawn)))
    return float(drawn[player] - drawn[nobody]), player


@torch.inference_mode()
def choose_setting(
    net: SettingNet,
    style: NDArray[np.float32] | None,
    noise: SettingNoise,
    guidance: float = 1.0,
    mode: int | None = None,
    base: Setting | None = None,
    idiom: Idiom | None = None,
    styles: Mapping[str, NDArray[np.float32]] | None = None,
) -> Setting:
    """The setting for a style (style_dim,), None for no style at all.

    guidance above 1 moves away from what would be chosen without a style (Ho & Salimans 2022,
    eq. 6). mode fixes the mode (index into MODE_NAMES). base: a setting whose metre, tempo and (but
    for `mode`) mode stay; the rest is chosen to go with them. idiom makes some tempi and modes
    likelier. styles: (style_dim,) for the choices (names of VARIABLES) that go by another style
    than `style`; each other part has a player as often as in the one of all these that has it most
    often. At least one part has a player.
    """
    fixed: dict[str, int] = {} if mode is None else {"mode": mode}
    if base is not None:
        fixed = {"metre": base.metre, "bpm": int(bpm_bin(base.bpm)), "mode": base.mode} | fixed
    # The rows: without a style, the style, and each other one that a choice goes by.
    others = {} if style is None or styles is None else dict(styles)
    distinct = {each.tobytes(): each for each in others.values()}
    row_of = {name: 2 + list(distinct).index(each.tobytes()) for name, each in others.items()}
    given = [] if style is None else [style, *distinct.values()]
    usual = min(1, len(given))
    rows = torch.zeros(1 + len(given), net.style_dim)
    for row, each in enumerate(given, start=1):
        rows[row] = torch.from_numpy(np.array(each, np.float32))
    styled = torch.ones(len(rows), 1)
    styled[0] = 0.0
    read = net.begin(rows, styled)
    chosen = torch.zeros(len(rows), CHOICES)
    codes: dict[str, int] = {}
    nearest: dict[str, tuple[float, int]] = {}
    tempo = 0.0
    for index, (name, values) in enumerate(VARIABLES):
        logits = net.odds(index, read, chosen).log_softmax(-1)
        row = row_of.get(name, usual)
        odds = (logits[0] + guidance * (logits[row] - logits[0])).numpy() / TEMPERATURE
        if name in NOBODY:
            asked = logits[row : row + 1] if name in row_of else logits[usual:]
            share = cleared(float(asked[:, NOBODY[name]].min().exp()))
            odds = with_share(odds, NOBODY[name], share)
        odds = odds if idiom is None else odds + _usual(name, idiom)
        start = _EDGES[index]
        if name in fixed:
            code = fixed[name]
        elif name == "bpm":
            # The same quantile of every distribution, so that the tempo moves with the mix.
            odds = np.exp(odds - odds.max())
            heap = np.cumsum(odds / odds.sum())
            code = min(int(np.searchsorted(heap, noise.tempo)), values - 1)
            below = heap[code - 1] if code else 0.0
            tempo = code + float((noise.tempo - below) / max(heap[code] - below, 1e-9))
        else:
            drawn = odds + noise.gumbel[start : start + values]
            code = int(drawn.argmax())
            if name in NOBODY:
                nearest[name] = _nearest_player(drawn, NOBODY[name])
        codes[name] = code
        chosen[:, start + code] = 1.0
    if all(codes[name] == nobody for name, nobody in NOBODY.items()):
        # Each part may be left out by itself, where two styles share no player: never all of them.
        name = max(nearest, key=lambda part: nearest[part][0])
        codes[name] = nearest[name][1]
    return Setting(
        metre=codes["metre"],
        kit=codes["kit"],
        instruments=(codes["bass"], codes["chords"], codes["lead"], codes["extra"]),
        bpm=round(bpm_at(tempo), 2) if base is None else base.bpm,
        swing=SWINGS[codes["swing"]],
        mode=codes["mode"],
    )
