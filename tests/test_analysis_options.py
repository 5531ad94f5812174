"""Options of an analysis: which are refused, and what the others change."""

import dataclasses
import math

import numpy as np
import pytest

from redundancy import schema
from redundancy.analysis import analyze, network_recordings
from redundancy.errors import UsageError
from redundancy.nodes import spiking_layers
from redundancy.observation import AnalysisOptions
from tests import potential_reference as plain
from tests.toy import ToyDataset, small_network

N_SAMPLES = 16
# Bins of the user's own do not depend on the first batch.
FIXED = AnalysisOptions(bin_width=0.02, bounds=(-1.0, 2.0), n_replicates=20)


@pytest.fixture(scope="module")
def dataset():
    return ToyDataset(N_SAMPLES, n_timesteps=3)


@pytest.fixture(scope="module")
def network():
    return small_network(3, seed=3)


class TestOptions:
    @pytest.mark.parametrize("width", [0, -1.0, math.nan, math.inf])
    def test_widths(self, width):
        with pytest.raises(UsageError, match="bin width must be positive and finite"):
            AnalysisOptions(bin_width=width)

    @pytest.mark.parametrize(
        "bounds", [(1.0, 0.0), (1.0, 1.0), (0.0, math.nan), (-math.inf, 0.0), (0.0, math.inf)]
    )
    def test_bounds(self, bounds):
        with pytest.raises(UsageError, match="from low to high"):
            AnalysisOptions(bounds=bounds)

    def test_quantities(self):
        with pytest.raises(UsageError, match="one of pre-fire, input, post-reset, got 'U'"):
            AnalysisOptions(quantity="U")

    def test_the_number_of_replicates(self):
        with pytest.raises(UsageError):
            AnalysisOptions(n_replicates=-1)

    def test_what_is_to_be_recorded(self):
        assert AnalysisOptions().recorded == ("spike", "membrane_potential")
        assert AnalysisOptions("input").recorded[-1] == "input_current"
        assert AnalysisOptions("post-reset").recorded[-1] == "post_reset_potential"

    @pytest.mark.parametrize("quantity", ["input", "post-reset"])
    def test_other_quantities_end_to_end(self, network, dataset, quantity):
        options = AnalysisOptions(quantity, n_replicates=20)
        results = analyze(network, dataset, options=options, batch_size=5)
        (recorded,) = network_recordings(
            network, dataset, quantities=options.recorded, batch_size=100
        )
        for name, layer in spiking_layers(recorded).items():
            values = layer[schema.QUANTITY_VARIABLES[quantity]].values
            found = results.potentials[name]
            assert found.attrs["quantity"] == quantity
            np.testing.assert_allclose(
                found["mean"],
                plain.per_feature(values, lambda t, c, v=values: v[:, t, c].mean(dtype=float)),
                rtol=1e-9,
                atol=1e-12,
            )
            total = found["histogram"].sum("bin") + found["underflow"] + found["overflow"]
            assert (total == values[:, 0, 0].size).all()
            # The error is of the potential before firing, whatever is binned.
            error = plain.quantization_errors(
                layer["membrane_potential"].values,
                layer["spike"].values,
                layer.attrs["v_threshold"],
            )[0]
            np.testing.assert_allclose(
                results.quantization_errors[name]["quantization_error"], error, rtol=1e-12
            )

    def test_the_rule_by_potential_is_not_told_by_the_input_current(self, network, dataset):
        """Definition 6 is of U: the distance of another quantity decides nothing."""
        of_u = analyze(network, dataset, options=FIXED).patterns()
        options = dataclasses.replace(FIXED, quantity="input")
        of_x = analyze(network, dataset, options=options).patterns()
        for name, patterns in of_x.items():
            codes = patterns["pattern_potential"].values
            same = codes == of_u[name]["pattern_potential"].values
            assert (same | (codes == -1)).all()
