"""Results as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redundancy import schema

if TYPE_CHECKING:
    import pandas as pd

    from redundancy.results import Results


def firing_rate_table(results: Results) -> pd.DataFrame:
    """Return the C-SFR of every layer, timestep and channel.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``time``, ``channel``, ``c_sfr``, in network order.
    """
    import pandas as pd

    tables = []
    for name, rates in results.firing_rates.items():
        c_sfr = rates[schema.C_SFR].transpose(schema.TIME, schema.CHANNEL)
        table = c_sfr.to_dataframe().reset_index()
        table.insert(0, "layer", name)
        tables.append(table[["layer", schema.TIME, schema.CHANNEL, schema.C_SFR]])
    return pd.concat(tables, ignore_index=True)
