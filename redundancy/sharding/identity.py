"""What the states of an analysis depend on, and in what two analyses differ."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redundancy import schema
from redundancy.observation import AnalysisOptions
from redundancy.provenance import versions
from redundancy.sharding.plan import Plan

if TYPE_CHECKING:
    from torch import nn


def identity_of(
    network: nn.Module,
    provenance: Mapping[str, Any],
    options: AnalysisOptions,
    plan: Plan,
    fused: bool,
) -> dict[str, Any]:
    """Return all that the states of an analysis depend on; devices are compared by themselves."""
    import torch

    weights = hashlib.sha256()
    for name, value in network.state_dict().items():
        weights.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        weights.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return {
        "weights": weights.hexdigest(),
        **{name: value for name, value in provenance.items() if name != schema.DEVICE},
        schema.STATISTICS: dataclasses.asdict(options),
        schema.SAMPLES: f"{plan.samples.start}:{plan.samples.stop}",
        "fused": fused,
        schema.VERSIONS: versions(),
        schema.VERSION: schema.SCHEMA_VERSION,
    }


def results_identity(
    provenance: Mapping[str, Any], options: AnalysisOptions, plan: Plan
) -> dict[str, Any]:
    """Return what results say of the analysis that they are of, as attributes read again."""
    identity = {
        **{name: value for name, value in provenance.items() if name != schema.DEVICE},
        schema.STATISTICS: dataclasses.asdict(options),
        schema.SAMPLES: f"{plan.samples.start}:{plan.samples.stop}",
        schema.VERSIONS: versions(),
    }
    read_again: dict[str, Any] = json.loads(json.dumps(identity))
    return read_again


def differences(other: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return by name what differs, first in words, then now; of mappings what in them does."""
    found: dict[str, tuple[str, str]] = {}
    for name in sorted({*other, *one}):
        before, now = other.get(name), one.get(name)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            found.update(differences(before, now))
        else:
            found[name] = f"{name.replace('_', ' ')} {_shown(before)}", _shown(now)
    return found


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
