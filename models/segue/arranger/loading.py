"""Weights of the arranger, read from a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.segue.arranger.network import ArrangerConfig, ArrangerNet
from models.segue.arranger.setting import SettingNet


def read_weights(path: Path) -> tuple[ArrangerNet, SettingNet, NDArray[np.float32]]:
    """Step network, setting network and density quantiles of `models.training.arranger`.

    Raises:
        SegueError: the file is missing or damaged.

    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise SegueError(f"{path} cannot be read: get Segue's folder again.") from error
    try:
        net = ArrangerNet(ArrangerConfig(**json.loads(metadata["config"])))
        setting = SettingNet(net.config.style_dim)
        quantiles = np.array(json.loads(metadata["density_quantiles"]), np.float32)
        real = {k: v.float() for k, v in tensors.items()}
        for module, prefix in ((net, "step."), (setting, "setting.")):
            own = {k[len(prefix) :]: v for k, v in real.items() if k.startswith(prefix)}
            module.load_state_dict(own)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise SegueError(f"{path} does not fit this Segue: get its folder again.") from error
    return net, setting, quantiles
