"""Which attention a network has, and which figure of the paper shows it."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Text

from redundancy.analysis import analyze
from redundancy.networks import build_network
from redundancy.observation import AnalysisOptions
from redundancy.report import paper_figures, spike_features
from redundancy.report.output import Selection
from redundancy.report.text import heading
from redundancy.stats import PatternRules
from redundancy.tables.grouping import NOT_STATED, attention_of, grouped, has_attention
from tests.networks.test_gac import tiny
from tests.table_cases import altered, hand_made
from tests.test_gac_analysis import Static
from tests.toy import ToyDataset, tiny_network_arguments

RULES = {"rules": PatternRules(), "rule": "spatial"}
LAYERS = {"conv1.neuron": [[1, 0], [1, 0]]}
GAC = "gac-ms-resnet-18-cifar"


def analyzed(attention):
    network = build_network("lif-snn-3", **tiny_network_arguments(attention=attention))
    return analyze(network, ToyDataset(4), batch_size=4, options=AnalysisOptions(n_replicates=10))


def stated(network="lif-snn-3", **arguments):
    return hand_made(LAYERS, network=network, network_arguments=arguments)


@pytest.mark.parametrize(
    ("arguments", "attention"),
    [
        ({"attention": "none"}, "none"),
        ({"attention": "sa"}, "sa"),
        ({"encoder": True}, "gac"),
        ({"encoder": False}, "none"),
    ],
)
def test_attention_is_what_the_arguments_say(arguments, attention):
    results = stated(**arguments)
    assert attention_of(results) == attention
    assert has_attention(results) == (attention != "none")
    assert (" with " in heading(results)) == (attention != "none")


def test_without_arguments_its_modules_say_it():
    # A network that came from Python says nothing of its arguments.
    for attention, expected in (("none", False), ("asa-1", True), ("tcsa", True)):
        results = analyzed(attention)
        assert attention_of(results) == NOT_STATED
        assert has_attention(results) is expected
        assert ("with attention on toy" in heading(results)) is expected
    assert not has_attention(hand_made(LAYERS))


@pytest.mark.parametrize("encoder", [True, False])
def test_figure_5_is_of_networks_with_attention(encoder):
    results = analyze(
        tiny(GAC, encoder=encoder),
        Static(2),
        batch_size=2,
        options=AnalysisOptions(n_replicates=10),
    )
    names = [name for name, _ in spike_features.drawings(results, Selection())]
    assert names[0] == f"figure_{5 if encoder else 2}_spike_features"
    named = altered(results, network=GAC, network_arguments={"encoder": encoder})
    assert heading(named).startswith(f"{GAC} with GAC's encoder on" if encoder else f"{GAC} on")


@pytest.mark.parametrize(
    ("arguments", "label"),
    [
        ({"attention": "asa-2"}, "ASA"),
        ({"attention": "tcsa"}, "TCSA"),
        ({"encoder": True}, "GAC"),
        ({}, "attention"),
    ],
)
def test_figure_5_names_the_attention(arguments, label):
    results = altered(analyzed("sa"), network_arguments=arguments)
    layer = next(iter(results.firing_rates))
    for draw in (
        lambda: spike_features.spike_features("5", results, layer, 0, ()),
        dict(paper_figures.drawings("5", {"a": results}, Selection(), **RULES))["figure_5_a"],
    ):
        figure = draw()
        texts = [text.get_text() for text in figure.findobj(Text)]
        assert any(f"Spike features of the network with {label} " in text for text in texts)
        plt.close(figure)


def test_gac_is_held_against_the_network_without_its_encoder():
    shared = {"n_classes": 10, "n_timesteps": 2}
    gac = stated(GAC, encoder=True, gate_kernel=4, **shared)
    plain = stated(GAC, encoder=False, gate_kernel=3, **shared)
    (first, none), (second, vanilla) = grouped({"gac": gac, "plain": plain})
    assert (first.names, none) == (["plain"], None)
    assert (second.names, vanilla.names) == (["gac"], ["plain"])
