"""Weights of 8 bits: each row of a matrix as whole numbers from -127 to 127 and one scale.

Only the weights are small, as they are stored and sent: they become float32 again when they are read, so scoring takes
as long as before.

Source
------
Jacob et al. (2018), Quantization and training of neural networks for efficient integer-arithmetic-only inference, CVPR
(the symmetric, per-channel case).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ":scale"
LARGEST = 127.0


def size_of(stored: Mapping[str, Tensor]) -> int:
    """Return the bytes of weights."""
    return sum(value.numel() * value.element_size() for value in stored.values())


def to_int8(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return matrices (rows, columns) as int8 beside their scales (rows,), named ``name:scale``; the rest as it is.

    A restored number differs by at most half its row's scale, which is the row's largest magnitude / 127.
    """
    stored = {}
    for name, value in weights.items():
        if value.dim() != 2 or value.shape[1] == 1:  # a scale for one number would make it larger
            stored[name] = value
            continue
        scale = (value.abs().amax(dim=1) / LARGEST).clamp(min=torch.finfo(value.dtype).tiny)
        stored[name] = (value / scale[:, None]).round().to(torch.int8)
        stored[name + SCALE] = scale
    return stored


def from_int8(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights that :func:`to_int8` stored; weights of 32 bits come back as they are."""
    scales = {name.removesuffix(SCALE): value for name, value in stored.items() if name.endswith(SCALE)}
    return {
        name: value.float() * scales[name][:, None] if name in scales else value
        for name, value in stored.items()
        if not name.endswith(SCALE)
    }
