"""Whether networks were analysed on the same data, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.results import Results

_NONE = object()
# Attributes that must agree, and what to call them.
_DATA = {
    schema.DATASET: "dataset",
    schema.SPLIT: "split",
    schema.N_SAMPLES: "number of samples",
    schema.N_TIMESTEPS: "number of timesteps",
}


def named(networks: Mapping[str, Results] | Iterable[tuple[str, Results]]) -> dict[str, Results]:
    """Return networks by name, in the order given.

    Raises
    ------
    UsageError
        If there are fewer than two, or two of one name.
    """
    pairs = list(networks.items() if isinstance(networks, Mapping) else networks)
    names = [name for name, _ in pairs]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UsageError(
            f"two of the networks to compare are called {doubled[0]!r}; give each a name of its own"
        )
    if len(pairs) < 2:
        raise UsageError(
            f"a comparison needs at least two networks, got {names[0] if names else 'none'}; name "
            "two checkpoints or results files"
        )
    return dict(pairs)


def check_same_data(networks: Mapping[str, Results], *, force: bool) -> list[str]:
    """Make sure that the networks saw the same data, for the same number of timesteps.

    Parameters
    ----------
    networks : mapping of str to Results
    force : bool
        Compare them all the same.

    Returns
    -------
    list of str
        A sentence per network that differs from the first; empty without `force`.

    Raises
    ------
    UsageError
        If a network differs from the first, unless forced. The message says in what.
    """
    (first, reference), *others = networks.items()
    sentences = []
    for name, results in others:
        found = differences(reference.attributes, results.attributes)
        if found:
            sentences.append(f"{first} and {name} were analysed differently: {', '.join(found)}")
    if sentences and not force:
        raise UsageError(
            f"{sentences[0]}; analyse both alike, or compare them all the same with --force"
        )
    return [f"{sentence}." for sentence in sentences]


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return in what the data of two analyses differ, each as words with both values."""
    found = [
        f"{words} {first.get(name)} and {second.get(name)}"
        for name, words in _DATA.items()
        if first.get(name) != second.get(name)
    ]
    samples = [_samples(attributes) for attributes in (first, second)]
    if samples[0] != samples[1] and first.get(schema.N_SAMPLES) == second.get(schema.N_SAMPLES):
        found.append(f"samples {samples[0]} and {samples[1]}")
    # Arguments of different datasets are not the same arguments.
    if first.get(schema.DATASET) == second.get(schema.DATASET):
        found += _nested(first, second, schema.DATASET_ARGUMENTS, "dataset argument")
    # Distributions of U and of its input are different quantities.
    return found + _nested(first, second, schema.STATISTICS, "option", only=[schema.QUANTITY])


def _samples(attributes: Mapping[str, Any]) -> str:
    return str(attributes.get(schema.SAMPLES, f"0:{attributes.get(schema.N_SAMPLES)}"))


def are_paired(first: Results, second: Results) -> bool:
    """Tell whether the bootstrap replicates of two networks draw the same samples."""
    if differences(first.attributes, second.attributes):
        return False
    options = [results.attributes.get(schema.STATISTICS, {}) for results in (first, second)]
    return all(
        options[0].get(name) is not None and options[0].get(name) == options[1].get(name)
        for name in ("n_replicates", "seed")
    )


def _nested(
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    attribute: str,
    words: str,
    only: Sequence[str] | None = None,
) -> list[str]:
    a, b = first.get(attribute, {}), second.get(attribute, {})
    # The number of timesteps is an attribute of its own.
    names = only or [name for name in dict.fromkeys([*a, *b]) if name != schema.N_TIMESTEPS]
    return [
        f"{words} {name} {_shown(a, name)} and {_shown(b, name)}"
        for name in names
        if a.get(name, _NONE) != b.get(name, _NONE)
    ]


def _shown(arguments: Mapping[str, Any], name: str) -> str:
    return str(arguments[name]) if name in arguments else "not given"
