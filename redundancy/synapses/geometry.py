"""How often the inputs of convolutions and fully connected layers meet a weight."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

# numpy.pad's names of PyTorch's padding modes other than zeros.
_PAD_MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge"}
_PADDED = -1


def find_synaptic_layers(network: nn.Module) -> dict[str, nn.Module]:
    """Return every convolution and fully connected layer by qualified name.

    These are ``nn.Linear``, ``nn.Conv1d/2d/3d``, ``nn.ConvTranspose1d/2d/3d`` and their
    subclasses, SpikingJelly's among them. Operations that are no modules (a
    ``functional.conv2d``, a product of matrices) cannot be seen. A module that stands
    in several places counts once, under its first name.
    """
    from torch import nn

    return {
        name or type(module).__name__: module
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd)
    }


def n_spatial_dimensions(module: nn.Module) -> int:
    """Return 0 for a fully connected layer, 1 to 3 for a convolution."""
    kernel_size: tuple[int, ...] = getattr(module, "kernel_size", ())
    return len(kernel_size)


def frame_elements(module: Any, shape: tuple[int, ...]) -> int:
    """Return the number of inputs of one application to an input of `shape`."""
    dimensions = n_spatial_dimensions(module)
    if not dimensions:
        return int(module.in_features)
    return int(module.in_channels) * math.prod(shape[-dimensions:])


def dense_operations(module: Any, n_inputs: int, n_outputs: int) -> int:
    """Return the multiply-accumulates of a call in which no input is zero.

    FL_conv = k * k * h * w * c_in * c_out / groups with (h, w) the size of the output,
    FL_fc = i * o, times the number of frames; a transposed convolution counts at its
    input. Products with padded zeros count, biases do not.
    """
    if not n_spatial_dimensions(module):
        return n_outputs * int(module.in_features)
    kernel: int = math.prod(module.kernel_size)
    if module.transposed:
        return n_inputs * kernel * (int(module.out_channels) // int(module.groups))
    return n_outputs * kernel * (int(module.in_channels) // int(module.groups))


def weights_met(
    module: Any, shape_in: tuple[int, ...], shape_out: tuple[int, ...]
) -> NDArray[np.int64]:
    """Return how many weights an input at each position of a frame meets.

    Parameters
    ----------
    module : nn.Module
    shape_in, shape_out : tuple of int
        Of an input and its output.

    Returns
    -------
    ndarray of int64, shape (position,)
        Over the flattened map, the same for every channel; over the features for a
        fully connected layer. Weights that only ever meet padded zeros are not in it.
    """
    dimensions = n_spatial_dimensions(module)
    if not dimensions:
        return np.full(module.in_features, module.out_features, dtype=np.int64)
    met = np.full(1, module.out_channels // module.groups, dtype=np.int64)
    for axis in range(dimensions):
        along = _taps_met(
            shape_in[axis - dimensions],
            shape_out[axis - dimensions],
            module.kernel_size[axis],
            module.stride[axis],
            module.dilation[axis],
            _padding(module, axis),
            "transposed" if module.transposed else module.padding_mode,
        )
        met = np.multiply.outer(met, along).ravel()
    return met


def _padding(module: Any, axis: int) -> tuple[int, int]:
    if module.padding == "valid":
        return 0, 0
    if module.padding == "same":
        both = module.dilation[axis] * (module.kernel_size[axis] - 1)
        return both // 2, both - both // 2
    return module.padding[axis], module.padding[axis]


@lru_cache(maxsize=256)
def _taps_met(
    n_in: int,
    n_out: int,
    kernel: int,
    stride: int,
    dilation: int,
    padding: tuple[int, int],
    mode: str,
) -> NDArray[np.int64]:
    """Return how many taps of a kernel meet each input along one axis."""
    taps = np.arange(kernel) * dilation
    if mode == "transposed":
        outputs = np.arange(n_in)[:, None] * stride + taps - padding[0]
        inside: NDArray[np.int64] = np.sum((outputs >= 0) & (outputs < n_out), 1, np.int64)
        return inside
    inputs = np.arange(n_in)
    if mode == "zeros":
        padded = np.pad(inputs, padding, constant_values=_PADDED)
    else:
        padded = np.pad(inputs, padding, mode=_PAD_MODES[mode])  # type: ignore[call-overload]
    met = padded[np.arange(n_out)[:, None] * stride + taps]
    return np.bincount(met[met != _PADDED], minlength=n_in).astype(np.int64)
