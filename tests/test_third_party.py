"""A network that others trained, on recordings of a real sensor."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import redundancy

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not DATA.exists(), reason="the third-party network and its recordings are not at hand"
)


class SumPool2d(layer.AvgPool2d):
    def forward(self, x):
        return 4 * super().forward(x)


def build(step_mode):
    """Rebuild the NIR paper's convolutional N-MNIST network from SpikingJelly modules."""
    with h5py.File(DATA / "nir_nmnist_cnn" / "cnn_sinabs.nir") as file:
        nodes = file["node/nodes"]

        def weigh(module, number):
            for name in ("weight", "bias"):
                getattr(module, name).data = torch.from_numpy(nodes[f"{number}/{name}"][()])
            return module

        def fire():
            return neuron.IFNode(v_threshold=1.0, v_reset=None)

        network = nn.Sequential(
            weigh(layer.Conv2d(2, 16, 5, stride=2, padding=1), 0), fire(),
            weigh(layer.Conv2d(16, 16, 3, padding=1), 2), fire(), SumPool2d(2),
            weigh(layer.Conv2d(16, 8, 3, padding=1), 5), fire(), SumPool2d(2), layer.Flatten(),
            weigh(layer.Linear(128, 256), 9), fire(), weigh(layer.Linear(256, 10), 11), fire(),
        )  # fmt: skip
    functional.set_step_mode(network, step_mode)
    return network


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_its_accuracy_and_rates_are_read(step_mode):
    dataset = redundancy.build_dataset(
        f"nmnist:{DATA / 'nmnist'}", n_timesteps=300, dt_ms=1.0, binary=False
    )
    results = redundancy.analyze(build(step_mode), dataset, batch_size=10, n_samples=30)
    assert results.accuracy >= 0.93  # 98 of all 100 are right
    assert list(results.layers) == ["1", "3", "6", "10", "12"]
    # Counted independently of the recorder: the output spikes of the bare network.
    network = build("m").eval()
    with torch.no_grad():
        frames = torch.from_numpy(dataset.batch(0, 30).frames).transpose(0, 1)
        spikes = network(frames).numpy()
    np.testing.assert_array_equal(
        results.layers["12"]["spike_count"], spikes.sum(1).astype(np.int64)
    )
