"""Published values of Yao et al., "Inherent Redundancy in Spiking Neural Networks".

ICCV 2023, arXiv 2308.08227, Tables 1, 3 and 4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redundancy import schema

SOURCE = "Yao et al., ICCV 2023"
# The attention that Tables 1 and 4 call ASA, without saying which of its two forms.
ASA = "asa"


@dataclass(frozen=True)
class PaperNetwork:
    """What results must be of, for the paper's numbers to stand beside them.

    Attributes
    ----------
    network : str
    arguments : mapping
        Arguments of the network that make it the paper's; those that results do not
        name do not count.
    n_timesteps : int or None
        None where the paper does not say.
    """

    network: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    n_timesteps: int | None = None

    def is_of(self, attributes: Mapping[str, Any]) -> bool:
        """Tell whether these are attributes of results of this network."""
        arguments = attributes.get(schema.NETWORK_ARGUMENTS, {})
        return (
            attributes[schema.NETWORK] == self.network
            and self.n_timesteps in (None, attributes[schema.N_TIMESTEPS])
            and all(
                json.dumps(arguments.get(name, value)) == json.dumps(value)
                for name, value in self.arguments.items()
            )
        )


_WIDE_3 = {"widths": [64, 128, 128], "hidden": 256}
_LIF_3 = PaperNetwork("lif-snn-3", _WIDE_3, 60)
_LIF_3_NARROW = PaperNetwork("lif-snn-3", {"widths": [32, 32, 32]})
_PLIF_5 = PaperNetwork("plif-snn-5")
_RES_18 = PaperNetwork("sew-resnet-18", {}, 8)

_GESTURE, _GAIT_DAY, _GAIT_NIGHT = "dvs128-gesture", "dvs128-gait-day", "dvs128-gait-night"
_DAILY, _HAR = "daily-action-dvs", "har-dvs"

Rows = Mapping[str, Mapping[str, float]]


def _rates(vanilla: tuple[float, float], asa: tuple[float, float]) -> Rows:
    return {
        attention: {"accuracy_percent": accuracy, schema.NASFR: nasfr}
        for attention, (accuracy, nasfr) in (("none", vanilla), (ASA, asa))
    }


def _errors(vanilla: float, asa: float) -> Rows:
    return {"none": {schema.QE: vanilla}, ASA: {schema.QE: asa}}


_ADDED: Rows = {
    "none": {"parameters": 2_323_531},
    "sa": {"added_parameters": 294, "added_macs": 14.3e6},
    "tcsa": {"added_parameters": 24_126, "added_macs": 27.3e6},
    "asa-1": {"added_parameters": 10_914, "added_macs": 2.6e6},
    "asa-2": {"added_parameters": 114, "added_macs": 2.6e6},
}

# Table -> dataset -> (network, attention -> column -> value).
PUBLISHED: Mapping[int, Mapping[str, tuple[tuple[PaperNetwork, Rows], ...]]] = {
    1: {
        _GESTURE: (
            (_LIF_3, _rates((91.3, 0.176), (95.2, 0.038))),
            (_PLIF_5, _rates((95.5, 0.023), (97.7, 0.018))),
        ),
        _GAIT_DAY: ((_LIF_3, _rates((88.6, 0.214), (93.6, 0.045))),),
        _GAIT_NIGHT: ((_LIF_3_NARROW, _rates((96.4, 0.197), (98.6, 0.126))),),
        _DAILY: ((_PLIF_5, _rates((92.5, 0.017), (94.6, 0.013))),),
        _HAR: ((_RES_18, _rates((45.5, 0.206), (47.1, 0.183))),),
    },
    3: {_GESTURE: ((_LIF_3, _ADDED),), _GAIT_DAY: ((_LIF_3, _ADDED),)},
    4: {
        _GESTURE: ((_LIF_3, _errors(0.158, 0.024)),),
        _GAIT_DAY: ((_LIF_3, _errors(0.362, 0.031)),),
        _HAR: ((_RES_18, _errors(0.584, 0.339)),),
    },
}


def published_values(table: int, attributes: Mapping[str, Any]) -> dict[str, float]:
    """Return what the paper's table says of the network that results are of.

    Parameters
    ----------
    table : int
        1, 3 or 4.
    attributes : mapping
        :attr:`redundancy.results.Results.attributes`.

    Returns
    -------
    dict of str to float
        Column to value; empty unless dataset and network are the paper's.
    """
    attention = attributes.get(schema.NETWORK_ARGUMENTS, {}).get("attention")
    for network, rows in PUBLISHED[table].get(attributes[schema.DATASET], ()):
        if network.is_of(attributes) and attention is not None:
            form = ASA if attention not in rows and attention.startswith("asa-") else attention
            return dict(rows.get(form, {}))
    return {}
