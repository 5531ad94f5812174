"""figures/REPRODUCTION.md: what was seen of the paper, in numbers and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from redundancy import schema
from redundancy.files import write_text
from redundancy.report.energy import EnergyReport
from redundancy.report.membrane_potential import layer_results
from redundancy.report.output import Selection, draw_all, figure_of
from redundancy.reproduction.networks import VARIANTS, Task
from redundancy.reproduction.observations import Observation, mean_known, observations
from redundancy.results import Results
from redundancy.stats import PatternRules, pattern_shares
from redundancy.stats.ghosts import ghost_groups, ghost_ratio_curve
from redundancy.tables import table_1, table_3, table_4, to_markdown

if TYPE_CHECKING:
    import pandas as pd

    from redundancy.report.output import Drawing

Runs = Mapping[tuple[str, int], Results]

_HEAD = """\
# What was seen of the paper here

Made by `make reproduce`; every number and picture below is recomputed by it.
The paper is "Inherent Redundancy in Spiking Neural Networks" (Yao et al., ICCV 2023).
Its data sets are not at hand, so its observations and tables are restated for data that are:
{data}.
The networks are small 3-layer LIF-SNNs (16-32-32 channels, 64 hidden neurons, T = 10), vanilla
and with ASA-1, {n_seeds} of each (seeds 0 to {last_seed}), trained on two CPU cores.
A number like 0.123 (0.110, 0.130, 0.129) is the mean and what each seed gave.
Noise and normal features are told by place, that is by spikes where the input has no events;
this rule knows nothing of firing rates or potentials, which are then asked to tell the two.
"""


def write_document(tasks: Sequence[Task], runs: Mapping[str, Runs], folder: Path) -> list[Path]:
    """Write REPRODUCTION.md and its pictures.

    Parameters
    ----------
    tasks : sequence of Task
    runs : mapping of str to mapping
        For each task's key, the results by (variant, seed).
    folder : Path
        Gets ``REPRODUCTION.md`` and a folder ``reproduction`` of pictures.

    Returns
    -------
    list of Path
        The files written.
    """
    pictures = folder / "reproduction"
    seeds = sorted({seed for _, seed in runs[tasks[0].key]})
    parts = [
        _HEAD.format(
            data=" and ".join(_data_line(task, runs[task.key]) for task in tasks),
            n_seeds=len(seeds),
            last_seed=seeds[-1],
        ),
        "## In short\n\n" + _short(tasks, runs),
    ]
    written: list[Path] = []
    for task in tasks:
        drawn = draw_all(_drawings(task, runs[task.key]), pictures)
        written += drawn
        parts.append(_task_text(task, runs[task.key], [path.name for path in drawn]))
    if len(tasks) == 1:
        parts.append(
            "## N-MNIST\n\nNot done: the recordings were not at hand. Name their folder: "
            "`make reproduce NMNIST=FOLDER`.\n"
        )
    path = folder / "REPRODUCTION.md"
    write_text(path, "\n".join(parts))
    return [path, *written]


def _data_line(task: Task, runs: Runs) -> str:
    n_samples = next(iter(runs.values())).attributes[schema.N_SAMPLES]
    return f"{task.title} ({n_samples} test samples)"


def _of(runs: Runs, variant: str) -> list[Results]:
    return [results for (name, _), results in sorted(runs.items()) if name == variant]


def _short(tasks: Sequence[Task], runs: Mapping[str, Runs]) -> str:
    """Return one row a claim and one column a dataset."""
    columns = {task.title: _verdicts(runs[task.key]) for task in tasks}
    claims = list(next(iter(columns.values())))
    lines = [
        "| claim | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for claim in claims:
        lines.append(f"| {claim} | " + " | ".join(column[claim] for column in columns.values()))
        lines[-1] += " |"
    return "\n".join(lines) + "\n"


def _verdicts(runs: Runs) -> dict[str, str]:
    """Return whether each observation, and what the tables claim of ASA, was seen."""
    verdicts = {
        f"Observation {seen.number}: {seen.claim}": _stressed(seen.verdict)
        for seen in observations(_of(runs, "vanilla"))
    }
    changes = {
        "Table 1: ASA fires less": [b < a for a, b in _pairs(runs, _rate)],
        "Table 1: ASA is at least as accurate": [b >= a for a, b in _pairs(runs, _accuracy)],
        "Table 3: ASA costs less energy (eq. 11, convention asa)": [
            b < a for a, b in _pairs(runs, _energy)
        ],
        "Table 4: ASA has a smaller quantization error": [b < a for a, b in _pairs(runs, _error)],
        "Section 5: ASA fires a smaller share of its spikes as noise (by place)": [
            b < a for a, b in _pairs(runs, _noise)
        ],
    }
    for claim, seen in changes.items():
        count = f"{sum(seen)} of {len(seen)} seeds"
        verdicts[claim] = f"seen in {count}" if all(seen) else f"**not seen** (in {count})"
    return verdicts


def _pairs(runs: Runs, measure: object) -> Iterator[tuple[float, float]]:
    """Yield a number of the vanilla and of the ASA network of every seed."""
    for old, new in zip(_of(runs, "vanilla"), _of(runs, "asa"), strict=True):
        yield measure(old), measure(new)  # type: ignore[operator]


def _rate(results: Results) -> float:
    return float(results.network_firing_rate[schema.NASFR])


def _accuracy(results: Results) -> float:
    return results.accuracy


def _energy(results: Results) -> float:
    return float(results.energy().attrs[schema.TOTAL_ENERGY])


def _error(results: Results) -> float:
    return float(results.network_quantization_error[schema.QE])


def _noise(results: Results) -> float:
    shares = pattern_shares(results.patterns(), "spatial")["spike_share"].sum("layer")
    return float(shares.sel(pattern="noise"))


def _task_text(task: Task, runs: Runs, pictures: Sequence[str]) -> str:
    networks = {f"{variant}-{seed}": results for (variant, seed), results in sorted(runs.items())}
    parts = [f"## {task.title}\n"]
    parts += [_observation_text(observation) for observation in observations(_of(runs, "vanilla"))]
    for number, table in ((1, table_1), (3, table_3), (4, table_4)):
        parts.append(f"### Table {number}\n\n{to_markdown(_told(table(networks)))}")
    noise = [_spread([_noise(results) for results in _of(runs, variant)]) for variant in VARIANTS]
    parts.append(
        "### Which spikes are redundant\n\n"
        f"Share of all spikes that noise features fire, told by place: vanilla {noise[0]}, "
        f"ASA {noise[1]}.\n"
    )
    parts += [f"![{name}](reproduction/{name})\n" for name in pictures]
    return "\n".join(parts)


def _told(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table without columns that tell nothing: all empty, or spreads of 0."""
    empty = [name for name in frame if frame[name].isna().all()]
    same = [name for name in frame if str(name).endswith("_sd") and (frame[name] == 0).all()]
    return frame.drop(columns=[*empty, *same])


def _observation_text(observation: Observation) -> str:
    verdict = _stressed(f"{observation.verdict.capitalize()}.")
    claim = observation.claim[0].upper() + observation.claim[1:]
    numbers = "\n".join(
        f"- {name}: {_spread(values)}" for name, values in observation.numbers.items()
    )
    rule = observation.rule[0].upper() + observation.rule[1:]
    return f"### Observation {observation.number}\n\n{claim}.\n{verdict} ({rule}.)\n\n{numbers}\n"


def _stressed(verdict: str) -> str:
    return f"**{verdict}**" if verdict.lower().startswith("not") else verdict


def _spread(values: Sequence[float]) -> str:
    words = ["–" if np.isnan(value) else f"{value:.3f}" for value in (mean_known(values), *values)]
    return f"{words[0]} ({', '.join(words[1:])})"


def _drawings(task: Task, runs: Runs) -> Iterator[Drawing]:
    """Yield the pictures of a task: of the networks of its first seed."""
    from redundancy import plots

    seed = min(seed for _, seed in runs)
    networks = {variant: runs[variant, seed] for variant in VARIANTS}
    vanilla = networks["vanilla"]
    layer, time, _ = Selection().resolve(vanilla)
    rules = PatternRules()
    shown = {name: layer_results(results, layer, rules) for name, results in networks.items()}
    groups = ghost_groups(vanilla.similarity(layer, time, "cosine"), 0.9)
    if groups.attrs[schema.N_ACTIVE]:
        rates = vanilla.firing_rates[layer]
        yield (
            f"{task.key}_1_ghost_groups",
            lambda: figure_of(plots.plot_ghost_groups(rates, groups, time=time)),
        )
    yield (
        f"{task.key}_1_ghost_ratio",
        lambda: figure_of(
            plots.plot_ghost_ratio_curve(
                {
                    name: ghost_ratio_curve(results.similarity(layer, time, "cosine"))
                    for name, results in networks.items()
                },
                threshold=0.9,
            )
        ),
    )
    yield (
        f"{task.key}_2_t_sfr",
        lambda: figure_of(plots.plot_t_sfr(vanilla.firing_rates, vanilla.network_firing_rate)),
    )
    yield (
        f"{task.key}_345_ptd_and_variance",
        lambda: plots.pattern_scatter_figure(shown, time=time, rule="spatial"),
    )
    first = shown["vanilla"]
    if plots.choose_pattern_channels(first["patterns"], first["rates"], time, rule="spatial"):
        yield f"{task.key}_figure_6", lambda: plots.figure_6(shown, time=time, rule="spatial")
    for name, draw in EnergyReport().drawings(networks):
        yield f"{task.key}_table_3_{name}", draw
    yield (
        f"{task.key}_table_4_quantization_error",
        lambda: figure_of(
            plots.plot_quantization_error(
                {name: results.quantization_errors for name, results in networks.items()}
            )
        ),
    )
