"""The accuracy and power of Qiu et al., "Gated Attention Coding", AAAI 2024, and ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redundancy import schema
from redundancy.stats.energy import E_AC, E_MAC
from redundancy.stats.energy_conventions import CONVENTIONS
from redundancy.tables.accuracy_basis import accuracy_notes
from redundancy.tables.published import PaperNetwork
from redundancy.tables.quantities import has_energy

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from redundancy.results import Results

_NAMES = ("gac-ms-resnet-18-cifar", "gac-ms-resnet-18", "gac-ms-resnet-34")
_PICOJOULES = 1e9  # in a millijoule
_CIFAR_WIDTHS = [64, 128, 256, 512]
_IMAGENET_WIDTHS = [64, 64, 128, 256, 512]


def _network(name: str, n_timesteps: int) -> PaperNetwork:
    widths = _CIFAR_WIDTHS if "cifar" in name else _IMAGENET_WIDTHS
    return PaperNetwork(name, {"widths": widths, "encoder": True}, n_timesteps)


# (dataset, network, T): accuracy (%), power (mJ a sample) where it is published.
_PUBLISHED: Mapping[tuple[str, str, int], tuple[float, float | None]] = {
    ("cifar10", _NAMES[0], 6): (96.46, None),
    ("cifar10", _NAMES[0], 4): (96.24, None),
    ("cifar10", _NAMES[0], 2): (96.18, None),
    ("cifar100", _NAMES[0], 6): (80.45, None),
    ("cifar100", _NAMES[0], 4): (79.83, None),
    ("cifar100", _NAMES[0], 2): (78.92, None),
    ("imagenet", _NAMES[1], 4): (64.05, 1.49),
    ("imagenet", _NAMES[1], 6): (65.14, 2.34),
    ("imagenet", _NAMES[2], 4): (69.77, 2.20),
    ("imagenet", _NAMES[2], 6): (70.42, 3.38),
}


def is_gac_network(results: Results) -> bool:
    """Tell whether results are of one of GAC's networks and hold operations."""
    return results.attributes[schema.NETWORK] in _NAMES and has_energy(results)


def gac_power_table(
    networks: Mapping[str, Results],
    convention: str = "spikformer",
    e_mac: float = E_MAC,
    e_ac: float = E_AC,
) -> pd.DataFrame:
    """Return accuracy and power of GAC's networks, with and without the encoder's own MACs.

    Parameters
    ----------
    networks : mapping of str to Results
        Those that are not of GAC's networks are left out.
    convention : str, default "spikformer"
        How operations are counted; the default counts the first convolution once and
        not at every timestep, as the paper does.
    e_mac, e_ac : float
        Picojoules of one multiply-accumulate and one accumulate.

    Returns
    -------
    DataFrame
        One row a network; energies in mJ a sample: ``first_layer_mj``;
        ``without_encoder_mj``, all layers but the encoder's; ``encoder_once_mj``, each
        layer of the encoder applied to one timestep; ``encoder_mj``, as it is executed;
        ``with_encoder_mj``, all together. ``published_accuracy_percent`` and
        ``published_power_mj`` are empty unless network and dataset are the paper's.
    """
    import pandas as pd

    rows = [
        {"network": name, **_row(results, results.energy(convention, e_mac, e_ac), e_mac)}
        for name, results in networks.items()
        if is_gac_network(results)
    ]
    frame = pd.DataFrame(rows)
    frame.attrs["caption"] = "Accuracy and power of Gated Attention Coding (Qiu et al., AAAI 2024)"
    frame.attrs["notes"] = [
        f"Operations by the convention {convention} ({CONVENTIONS.get(convention).description}), "
        f"{e_mac:g} pJ a MAC, {e_ac:g} pJ an AC, in mJ per sample. Shortcuts, and all else that "
        "currents come into, make MACs.",
        "Encoder once: each of its layers applied to one timestep, all that an unchanging image "
        "needs. The published power is less than that alone on ImageNet, so it leaves the encoder "
        "out; compare it with the column without encoder.",
        *accuracy_notes({n: results for n, results in networks.items() if is_gac_network(results)}),
    ]
    return frame


def _row(results: Results, table: xr.Dataset, e_mac: float) -> dict[str, Any]:
    inside = table[schema.ROLE] == "attention"
    energy = table[schema.ENERGY] / _PICOJOULES
    first = energy.where((table[schema.SOURCE] == "input") & ~inside, 0.0)
    once = e_mac * table[schema.FLOPS].where(inside, 0.0) / _PICOJOULES
    accuracy, power = published_gac(results.attributes)
    return {
        "dataset": results.attributes[schema.DATASET],
        schema.N_TIMESTEPS: int(results.attributes[schema.N_TIMESTEPS]),
        "accuracy_percent": 100 * results.accuracy,
        "published_accuracy_percent": accuracy,
        "first_layer_mj": float(first.sum()),
        "without_encoder_mj": float(energy.where(~inside, 0.0).sum()),
        "encoder_once_mj": float(once.sum()),
        "encoder_mj": float(energy.where(inside, 0.0).sum()),
        "with_encoder_mj": float(energy.sum()),
        "published_power_mj": power,
    }


def published_gac(attributes: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the published accuracy (%) and power (mJ) of what results are of, if any.

    Parameters
    ----------
    attributes : mapping
        :attr:`redundancy.results.Results.attributes`.
    """
    for (dataset, name, n_timesteps), values in _PUBLISHED.items():
        if attributes[schema.DATASET] == dataset and _network(name, n_timesteps).is_of(attributes):
            return values
    return None, None
