"""Small networks of synaptic layers, and what is recorded of them, for several tests."""

import torch
from spikingjelly.activation_based import neuron
from torch import nn

from redundancy import schema
from redundancy.networks import build_network
from redundancy.recording import Recorder


def small_network(**arguments):
    torch.manual_seed(0)
    sizes = {"n_timesteps": 4, "input_size": (8, 8), "widths": (4, 4, 4), "hidden": 5}
    return build_network("lif-snn-3", n_classes=3, **{**sizes, **arguments})


def synapses_of(network, frames, **options):
    with Recorder(network, **options) as recorder:
        return recorder.record_nodes(frames)[schema.SYNAPSE_NODE]


def spiking(threshold=0.5, step_mode="m"):
    return neuron.IFNode(v_threshold=threshold, step_mode=step_mode)


def rows(node, variable):
    values = node[variable].transpose(schema.SYNAPSE, ...).values
    return dict(zip(node[schema.SYNAPSE].values.tolist(), values, strict=True))


class Network(nn.Module):
    """Modules by name, run by a function of them and the input."""

    def __init__(self, run, **modules):
        super().__init__()
        self.run = run
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        return self.run(self, x)
