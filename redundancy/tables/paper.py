"""Tables 1, 3 and 4 of Yao et al., ICCV 2023, for any networks, the published beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from redundancy import schema
from redundancy.stats.attention_cost import attention_macs
from redundancy.stats.energy import E_AC, E_MAC
from redundancy.stats.energy_conventions import CONVENTIONS
from redundancy.tables.accuracy_basis import accuracy_notes
from redundancy.tables.assembling import UNKNOWN, Values, assemble
from redundancy.tables.quantities import QE_VARIANTS, has_energy

if TYPE_CHECKING:
    import pandas as pd

    from redundancy.results import Results


def table_1(networks: Mapping[str, Results]) -> pd.DataFrame:
    """Return accuracy and NASFR, and what attention changes of them.

    Parameters
    ----------
    networks : mapping of str to Results
        Vanilla networks and networks with attention, on one or several datasets. Those
        of the same arguments on the same data are runs of one network: their means and
        standard deviations make one row.

    Returns
    -------
    DataFrame
        One row a network: ``accuracy_percent``, ``accuracy_change`` (points) and
        ``nasfr``, ``nasfr_change_percent`` against the vanilla network, the same as
        published where dataset and network are the paper's; ``n_networks`` and
        ``..._sd`` if a row holds several runs.
    """

    def changes(new: Values, old: Values) -> dict[str, float]:
        return {
            "accuracy_change": _difference(new, old, "accuracy_percent"),
            "nasfr_change_percent": _percent(new, old, schema.NASFR),
        }

    return assemble(
        networks,
        number=1,
        measure=_accuracy_and_rate,
        changes=changes,
        published=("accuracy_percent", "accuracy_change", schema.NASFR, "nasfr_change_percent"),
        caption="Accuracy and network average spike firing rate (NASFR)",
        notes=accuracy_notes(networks),
    )


def table_3(
    networks: Mapping[str, Results],
    convention: str = "asa",
    e_mac: float = E_MAC,
    e_ac: float = E_AC,
) -> pd.DataFrame:
    """Return what attention costs and saves: parameters, operations and energy.

    Parameters
    ----------
    networks : mapping of str to Results
        As of :func:`table_1`.
    convention : str
        How operations are counted; see :func:`redundancy.stats.energy.energy_table`.
    e_mac, e_ac : float
        Picojoules of one multiply-accumulate and one accumulate.

    Returns
    -------
    DataFrame
        One row a network: accuracy, parameters, NASFR, MACs, ACs and energy (pJ) a
        sample; against the vanilla network ``added_parameters``, ``added_macs``,
        ``saved_acs`` and ``energy_change`` = e_mac added_macs - e_ac saved_acs (eq. 11,
        positive where attention costs more); ``attention_macs``, what the layers inside
        attention really execute, and ``attention_total``, with the rescale; published
        numbers beside ours as in :func:`table_1`.
    """
    CONVENTIONS.get(convention)  # an unknown one is told even where there is no energy

    def changes(new: Values, old: Values) -> dict[str, float]:
        macs = _difference(new, old, schema.MACS)
        acs = -_difference(new, old, schema.ACS)
        return {
            "added_parameters": _difference(new, old, "parameters"),
            "added_macs": macs,
            "saved_acs": acs,
            "energy_change": e_mac * macs - e_ac * acs,
        }

    def measure(results: Results) -> dict[str, float]:
        return {
            **_accuracy_and_rate(results),
            "parameters": _n_parameters(results),
            **_costs(results, convention, e_mac, e_ac),
        }

    notes = [
        f"Operations and energy by the convention {convention} "
        f"({CONVENTIONS.get(convention).description}), per sample, {e_mac:g} pJ a MAC, "
        f"{e_ac:g} pJ an AC. Eq. 11: energy change = {e_mac:g} x added MACs - {e_ac:g} x saved ACs."
    ]
    silent = [name for name, results in networks.items() if not has_energy(results)]
    if silent:
        notes.append(f"No operations or energy are known of {', '.join(silent)}.")
    return assemble(
        networks,
        number=3,
        measure=measure,
        changes=changes,
        published=("parameters", "added_parameters", "added_macs"),
        caption="Accuracy, parameters, operations and energy of attention",
        notes=notes,
    )


def table_4(networks: Mapping[str, Results]) -> pd.DataFrame:
    """Return the quantization error of vanilla networks and of those with attention.

    Parameters
    ----------
    networks : mapping of str to Results
        As of :func:`table_1`.

    Returns
    -------
    DataFrame
        One row a network: ``quantization_error`` with its change in % against the
        vanilla network, the published one beside it as in :func:`table_1`, and the
        variants ``..._scaled`` and ``..._normalized``; over all neurons.
    """

    def changes(new: Values, old: Values) -> dict[str, float]:
        return {f"{schema.QE}_change_percent": _percent(new, old, schema.QE)}

    def measure(results: Results) -> dict[str, float]:
        errors = results.network_quantization_error
        return {name: float(errors[name]) for name in QE_VARIANTS}

    return assemble(
        networks,
        number=4,
        measure=measure,
        changes=changes,
        published=(schema.QE, f"{schema.QE}_change_percent"),
        caption="Quantization error (QE), mean of (U - S)^2 over all neurons",
        notes=["QE scaled is the mean of (U - V_th S)^2, QE normalized that of (U / V_th - S)^2."],
    )


def _accuracy_and_rate(results: Results) -> dict[str, float]:
    return {
        "accuracy_percent": 100 * results.accuracy,
        schema.NASFR: float(results.network_firing_rate[schema.NASFR]),
    }


def _n_parameters(results: Results) -> float:
    return float(results.attributes.get(schema.N_PARAMETERS, 0)) or UNKNOWN


def _costs(results: Results, convention: str, e_mac: float, e_ac: float) -> dict[str, float]:
    attention = (schema.ATTENTION_MACS, schema.ATTENTION_TOTAL)
    if not has_energy(results):
        return dict.fromkeys((schema.MACS, schema.ACS, schema.ENERGY, *attention), UNKNOWN)
    table = results.energy(convention, e_mac, e_ac)
    inside = attention_macs(table)
    return {
        schema.MACS: table.attrs[schema.TOTAL_MACS],
        schema.ACS: table.attrs[schema.TOTAL_ACS],
        schema.ENERGY: table.attrs[schema.TOTAL_ENERGY],
        **{name: float(inside[name]) for name in attention},
    }


def _difference(new: Values, old: Values, name: str) -> float:
    return new[name] - old[name]


def _percent(new: Values, old: Values, name: str) -> float:
    return 100 * (new[name] - old[name]) / old[name] if old[name] else UNKNOWN
