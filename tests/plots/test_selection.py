from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redundancy.errors import UsageError
from redundancy.plots import selection


def test_the_default_layer_is_the_last_one_with_maps(layers):
    assert selection.default_layer(layers) == "conv2.neuron"
    assert selection.check_layer(layers, None) == "conv2.neuron"


def test_a_network_of_vectors_has_no_default_layer(layers):
    with pytest.raises(UsageError, match=r"feature maps \(y, x\).*fc\.neuron"):
        selection.default_layer({"fc.neuron": layers["fc.neuron"]})


def test_an_unknown_layer_names_the_layers_and_the_nearest(layers):
    with pytest.raises(UsageError, match=r"'conv2'.*conv1\.neuron, conv2\.neuron.*'conv2\.neuron'"):
        selection.check_layer(layers, "conv2")


@pytest.mark.parametrize(("n_times", "middle"), [(1, 0), (2, 1), (5, 2), (20, 10)])
def test_the_default_time_is_the_middle(make_rates, n_times, middle):
    assert selection.default_time(make_rates(2, (2, 2), n_times)) == middle


def test_times_out_of_range_name_the_range(make_rates):
    rates = make_rates(n_times=5)
    assert selection.check_time(rates, 4) == 4
    with pytest.raises(UsageError, match=r"timestep 5 .*timesteps 0 to 4; the nearest is 4"):
        selection.check_time(rates, 5)
    with pytest.raises(UsageError, match=r"timestep -1 .*the nearest is 0"):
        selection.check_time(rates, -1)
    with pytest.raises(UsageError, match=r"whole number counted from 0, got 1\.5"):
        selection.check_time(rates, 1.5)


def test_channels_out_of_range_name_the_range(make_rates):
    rates = make_rates(n_channels=6)
    assert selection.check_channels(rates, None) == list(range(6))
    with pytest.raises(UsageError, match=r"channel 6 .*'conv3\.neuron' has channels 0 to 5"):
        selection.check_channels(rates, [0, 6])
    with pytest.raises(UsageError, match="at least one channel"):
        selection.check_channels(rates, [])


def rates_of_channels(make_rates, rates):
    values = np.broadcast_to(np.array(rates)[None, :, None, None], (1, len(rates), 2, 2)).copy()
    return make_rates(len(rates), (2, 2), 1, values=values)


@pytest.mark.parametrize(
    ("rates", "picks"),
    [
        ([0.1, 0.9, 0.3], {"highest": 1, "typical": 2}),
        ([0.1, 0.9, 0.3, 0.2], {"highest": 1, "typical": 3}),
        # More than half are null: the typical one of those that spike.
        ([0.0, 0.5, 0.0, 0.3, 0.1, 0.0, 0.0, 0.0], {"highest": 1, "typical": 3}),
        ([0.0, 0.0], {"highest": 0, "typical": 1}),
        ([0.4], {"highest": 0}),
        ([0.0, 0.4, 0.0], {"highest": 1}),
    ],
)
def test_the_default_channels(make_rates, rates, picks):
    assert selection.default_channels(rates_of_channels(make_rates, rates), 0) == picks


@given(n_times=st.integers(1, 500), n=st.integers(1, 40))
def test_times_to_show_are_distinct_ordered_and_span_all(n_times, n):
    times = selection.times_to_show(n_times, n)
    assert times == sorted(set(times))
    assert len(times) == min(n, n_times)
    assert times[0] >= 0
    assert times[-1] < n_times
    if n > 1:
        assert (times[0], times[-1]) == (0, n_times - 1)


def test_times_to_show_needs_some():
    with pytest.raises(UsageError, match="got 0 timesteps"):
        selection.times_to_show(0)
