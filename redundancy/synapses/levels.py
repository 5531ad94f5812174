"""Which values sums and averages of spikes can take on their way to a synaptic layer.

Found by following the graph of operations of a traced run from the layer back to the
neurons: a sum of n spikes lies between 0 and n, an average of n on multiples of 1/n. A
train of spikes that something else has scaled, normalised or weighted is neither.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from redundancy import schema

if TYPE_CHECKING:
    import torch

    Node = torch.autograd.graph.Node

_FLOAT32 = 2.0**-23
# Beyond it, float32 cannot hold half a level.
GREATEST_LEVEL = 2.0**22
# Averages over 2 to 10, 12, 14, 15, 16, 20, 32 and more lie on its multiples.
_COMMON_PARTS = 100_800
# Rounding to a level needs levels that are further apart than what is rounded off.
_MOST_SLACK = 0.25
# They hand on values, or pick some of them.
_PASSING = re.compile(
    "View|UnsafeView|Reshape|ReshapeAlias|Permute|Transpose|T|Squeeze|Unsqueeze|Expand|Repeat|"
    "Slice|Select|Split|SplitWithSizes|UnsafeSplit|Unbind|Cat|Stack|Clone|ToCopy|Copy|"
    "AsStrided|Alias|Index|IndexSelect|Gather|Diagonal|Flip|Roll|ConstantPadNd|ReflectionPad|"
    "ReplicationPad|UpsampleNearest|PixelShuffle|PixelUnshuffle|Im2Col|Unfold|MaxPool|"
    "AdaptiveMaxPool|Max|Amax|Maximum|Minimum|Min|Amin|Where|MaskedFill|Relu|Clamp|ClampMin"
)
# Of PyTorch's own operations; those of users end in no number.
_NAME = re.compile(r"(\w+?)(\dd|\dD)?(With\w+)?Backward\d+")
_COPIES = ("CopySlices", "CopyBackwards")


class Lattice(NamedTuple):
    """What values are held against: multiples of 1 / parts from 0 to most.

    Attributes
    ----------
    exact : bool
        Whether floating-point numbers hold these values as they are.
    parts, slack, most : float
        By how much of a level values may be off.
    above : bool
        Whether whole numbers above `most` will do too.
    """

    exact: bool
    parts: float
    slack: float
    most: float
    above: bool


@dataclass(frozen=True)
class SpikeLevels:
    """Values that spikes became.

    Parameters
    ----------
    path : str
        ``schema.SUMS`` or ``schema.AVERAGES`` of spikes; ``schema.SCALED`` by a constant;
        ``schema.OTHER`` where operations are unknown; ``schema.UNTRACED`` where no graph is.
    parts : int
        Values of sums and averages are multiples of 1 / parts.
    most : float
        The greatest of them.
    epsilon : float
        Of the coarsest data type on the way.
    """

    path: str
    parts: int = 1
    most: float = 1.0
    epsilon: float = 0.0

    def lattice(self, epsilon: float) -> Lattice:
        """Return what values of a data type of this precision are held against."""
        epsilon = max(epsilon, self.epsilon)
        if self.path == schema.UNTRACED:
            parts, most = (_COMMON_PARTS, 1.0) if epsilon <= _FLOAT32 else (1, 1.0)
            return Lattice(False, parts, min(8 * epsilon * parts, 0.1), most, True)
        if self.path not in (schema.SUMS, schema.AVERAGES):
            return Lattice(True, 1.0, 0.0, math.inf, False)
        power_of_two = self.parts & (self.parts - 1) == 0
        if power_of_two and self.parts * self.most <= min(1 / epsilon, GREATEST_LEVEL):
            return Lattice(True, self.parts, 0.0, self.most, False)
        slack = 8 * epsilon * self.parts * max(self.most, 1.0)
        if slack > _MOST_SLACK:  # too fine to tell: only what is too great is off
            return Lattice(False, 1.0, 0.5, self.most * (1 + 8 * epsilon), False)
        return Lattice(False, self.parts, slack, self.most, False)


SPIKES = SpikeLevels(schema.SUMS)
OTHER = SpikeLevels(schema.OTHER)
UNTRACED = SpikeLevels(schema.UNTRACED)
_SCALED = SpikeLevels(schema.SCALED)


def joined(levels: Iterable[SpikeLevels]) -> SpikeLevels:
    """Return the levels of values that may come from any of these."""
    found = list(levels)
    for path in (schema.SCALED, schema.OTHER, schema.UNTRACED):
        if any(one.path == path for one in found):
            return SpikeLevels(path)
    parts = math.lcm(*(one.parts for one in found))
    most, epsilon = max(one.most for one in found), max(one.epsilon for one in found)
    return SpikeLevels(_path(parts), parts, most, epsilon)


def spike_levels(start: Node | None, known: Mapping[Any, SpikeLevels]) -> SpikeLevels | None:
    """Return what values the spikes have at a node of the graph of operations.

    Parameters
    ----------
    start : Node or None
    known : mapping of Node to SpikeLevels
        Of nodes that the way back ends at.

    Returns
    -------
    SpikeLevels or None
        None if nothing known is before `start`.
    """
    found: dict[Any, SpikeLevels | None] = {None: None, **known}
    waiting: list[Any] = [start]
    while waiting:
        node = waiting[-1]
        before = [operand for operand, _ in node.next_functions] if node not in found else []
        open_ends = [operand for operand in before if operand not in found]
        if open_ends:
            waiting.extend(open_ends)
            continue
        waiting.pop()
        if node not in found:
            found[node] = _after(node, [found[operand] for operand in before])
    return found[start]


def _path(parts: int) -> str:
    return schema.SUMS if parts == 1 else schema.AVERAGES


def _after(node: Any, operands: list[SpikeLevels | None]) -> SpikeLevels | None:
    """Return the levels behind one operation."""
    spiking = [levels for levels in operands if levels is not None]
    if not spiking:
        return None
    before = joined(spiking)
    if before.path not in (schema.SUMS, schema.AVERAGES):
        return before
    name = node.name().rpartition("::")[2]
    known = _NAME.fullmatch(name)
    kind = known[1] if known else ""
    if _PASSING.fullmatch(kind) or name in _COPIES:
        return replace(before, epsilon=max(before.epsilon, _epsilon(node)))
    changed = _CHANGING.get(kind)
    try:
        after = OTHER if changed is None else changed(node, operands, before)
    # Of a node that does not tell what it did, nothing is known.
    except (AttributeError, RuntimeError, IndexError):
        return OTHER
    if after.path not in (schema.SUMS, schema.AVERAGES):
        return after
    return replace(after, epsilon=max(before.epsilon, _epsilon(node)))


def _epsilon(node: Any) -> float:
    """Return the precision of an operation's output, 0 where it cannot be told."""
    import torch

    outputs = getattr(node, "_input_metadata", ())
    if not outputs or not outputs[0].dtype.is_floating_point:
        return 0.0
    return float(torch.finfo(outputs[0].dtype).eps)


def _added(node: Any, operands: list[SpikeLevels | None], before: SpikeLevels) -> SpikeLevels:
    if node._saved_alpha != 1:
        return _SCALED
    most = sum(one.most for one in operands if one is not None)
    return replace(before, most=most) if None not in operands else OTHER


def _summed(node: Any, operands: list[SpikeLevels | None], before: SpikeLevels) -> SpikeLevels:
    return replace(before, most=before.most * _n_reduced(node))


def _mean(node: Any, operands: list[SpikeLevels | None], before: SpikeLevels) -> SpikeLevels:
    return _averaged(before, _n_reduced(node))


def _pooled(node: Any, operands: list[SpikeLevels | None], before: SpikeLevels) -> SpikeLevels:
    dimensions = int(node.name()[len("AvgPool")])
    kernel = tuple(node._saved_kernel_size)
    kernel = kernel * dimensions if len(kernel) == 1 else kernel
    size, divisor = math.prod(kernel), node._saved_divisor_override
    if divisor == 1:
        return replace(before, most=before.most * size)
    if divisor not in (None, size):
        return _SCALED
    cut = node._saved_ceil_mode or (any(node._saved_padding) and not node._saved_count_include_pad)
    # At the edges windows may be of any size up to the kernel's.
    windows = [math.lcm(*range(1, n + 1)) if cut and divisor is None else n for n in kernel]
    return _averaged(before, math.prod(windows))


def _adaptively_pooled(
    node: Any, operands: list[SpikeLevels | None], before: SpikeLevels
) -> SpikeLevels:
    dimensions = int(node.name()[len("AdaptiveAvgPool")])
    operand, index = node.next_functions[0]
    sizes_in = operand._input_metadata[index].shape[-dimensions:]
    sizes_out = node._input_metadata[0].shape[-dimensions:]
    windows = [
        math.lcm(*(-(-(i + 1) * n_in // n_out) - i * n_in // n_out for i in range(n_out)))
        for n_in, n_out in zip(sizes_in, sizes_out, strict=True)
    ]
    return _averaged(before, math.prod(windows))


def _averaged(before: SpikeLevels, n: int) -> SpikeLevels:
    parts = before.parts * max(int(n), 1)
    return replace(before, path=_path(parts), parts=parts)


def _n_reduced(node: Any) -> int:
    n_before: int = math.prod(node._saved_self_sym_sizes)
    n_after: int = math.prod(node._input_metadata[0].shape)
    return n_before // max(n_after, 1)


def _multiplied(node: Any, operands: list[SpikeLevels | None], before: SpikeLevels) -> SpikeLevels:
    if None not in operands:  # a product of two spike trains is no scaled one
        return OTHER
    constant = node._saved_self if operands[0] is None else node._saved_other
    return _times(before, float(constant.detach()))


def _divided(node: Any, operands: list[SpikeLevels | None], before: SpikeLevels) -> SpikeLevels:
    if operands[0] is None or operands[1] is not None:
        return OTHER
    divisor = float(node._saved_other.detach())
    return _times(before, 1 / divisor if divisor else math.nan)


def _times(before: SpikeLevels, factor: float) -> SpikeLevels:
    """Return sums that a factor makes averages, and the other way round."""
    if factor == 1:
        return before
    share = round(1 / factor) if 0 < factor < 1 else 0
    if share and math.isclose(share * factor, 1) and share == before.most:
        return replace(_averaged(before, share), most=1.0)
    if before.parts == factor:
        return SpikeLevels(schema.SUMS, 1, before.most * factor, before.epsilon)
    return _SCALED


def _scaled(node: Any, operands: list[SpikeLevels | None], before: SpikeLevels) -> SpikeLevels:
    return _SCALED


_CHANGING: Mapping[str, Callable[[Any, list[SpikeLevels | None], SpikeLevels], SpikeLevels]] = {
    "Add": _added,
    "Sum": _summed,
    "Mean": _mean,
    "AvgPool": _pooled,
    "AdaptiveAvgPool": _adaptively_pooled,
    "Mul": _multiplied,
    "Div": _divided,
    "NativeDropout": _scaled,
}
