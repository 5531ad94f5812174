"""The paper's figures by their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.report.membrane_potential import layer_results
from redundancy.report.output import Selection, example_frames
from redundancy.report.spike_features import spike_features
from redundancy.stats import PatternRules

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from redundancy.plots.patterns import Rule
    from redundancy.report.output import Drawing
    from redundancy.results import Results


def drawings(
    number: str,
    networks: Mapping[str, Results],
    selection: Selection,
    *,
    rules: PatternRules,
    rule: Rule,
) -> Iterator[Drawing]:
    """Yield the names of a figure's files and how to draw them.

    Parameters
    ----------
    number : {"1", "2", "5", "6"}
    networks : mapping of str to Results
        For Figures 1 and 6 side by side, the vanilla network first; Figures 2 and 5 are
        drawn for each.
    selection : Selection
        The layer and channels shown are the same of all networks; by default chosen
        from the first.
    rules : PatternRules
    rule : {"potential", "spatial"}
    """
    if number in ("2", "5"):
        for name, results in networks.items():
            layer, time, channels = selection.resolve(results)
            _need_maps(number, name, results, layer)
            arguments = (number, results, layer, time, channels)
            yield f"figure_{number}_{name}", partial(spike_features, *arguments)
        return
    from redundancy import plots

    first = next(iter(networks.values()))
    layer, time, channels = selection.resolve(first)
    missing = [name for name, results in networks.items() if layer not in results.layers]
    if missing:
        raise UsageError(
            f"{', '.join(missing)} has no layer {layer!r} as {next(iter(networks))} has; name one "
            "that all networks have with --layer"
        )
    if rule == "potential" and not channels:
        _check_quantity(first)
    if number == "1":
        _need_maps(number, next(iter(networks)), first, layer)
    shown = {name: layer_results(results, layer, rules) for name, results in networks.items()}
    if number == "6":
        yield (
            "figure_6",
            lambda: plots.figure_6(shown, time=time, channels=channels or None, rule=rule),
        )
        return
    yield "figure_1", lambda: _figure_1(first, layer, shown, time, channels, rule)


def _figure_1(
    results: Results,
    layer: str,
    shown: Mapping[str, object],
    time: int,
    channels: list[int],
    rule: Rule,
) -> Figure:
    from redundancy import plots

    state = results.layers[layer]
    trace = _telling_channel(state)
    return plots.figure_1(
        state[schema.EXAMPLE_POTENTIAL].isel({schema.CHANNEL: trace}),
        state[schema.EXAMPLE_SPIKE].isel({schema.CHANNEL: trace}),
        example_frames(results),
        shown,  # type: ignore[arg-type]
        v_threshold=plots.channel_threshold(results.potentials[layer], trace),
        v_reset=state.attrs.get(schema.V_RESET),
        time=time,
        channels=channels or None,
        rule=rule,
    )


def _telling_channel(state: xr.Dataset) -> int:
    """Return the channel whose example neuron fires nearest to half of the time."""
    n_spikes = (state[schema.EXAMPLE_SPIKE] != 0).sum(schema.TIME).values
    half = state.sizes[schema.TIME] / 2
    # One that always fires is as far from it as one that never does, and tells more.
    return int((abs(n_spikes - half) + (n_spikes == 0) / 4).argmin())


def _need_maps(number: str, name: str, results: Results, layer: str) -> None:
    """Refuse to show a layer's feature maps where it has none."""
    from redundancy import plots

    if not plots.has_maps(results.firing_rates[layer]):
        raise UsageError(
            f"figure {number} shows feature maps, but layer {layer!r} of {name} has none, its "
            "channels are single neurons; name another with --layer, or see analyze spike-features"
        )


def _check_quantity(results: Results) -> None:
    """Refuse to choose channels by potentials that say nothing of firing."""
    quantity = results.attributes.get(schema.STATISTICS, {}).get(schema.QUANTITY, "pre-fire")
    if quantity != "pre-fire":
        raise UsageError(
            f"noise is told by the potential before firing, but these results are of {quantity} "
            "potentials; tell it by place with --rule spatial, or name channels with --channel"
        )
