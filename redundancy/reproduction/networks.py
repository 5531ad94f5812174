"""The networks of the reproduction: trained if they are not there, analysed if not yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redundancy import schema
from redundancy.errors import ResultsError
from redundancy.files import sha256_of
from redundancy.results import Results
from redundancy.results_file import load_results

if TYPE_CHECKING:
    from redundancy.datasets.base import Dataset

    Progress = Callable[[str, str, int, int], None]

VARIANTS = {"vanilla": "none", "asa": "asa-1"}
_NETWORK: Mapping[str, Any] = {
    "widths": (16, 32, 32),
    "hidden": 64,
    "surrogate_gradient": "arctan",
}
_RECIPE: Mapping[str, Any] = {"batch_size": 16, "learning_rate": 5e-4, "weight_decay": 0.0}


@dataclass(frozen=True)
class Task:
    """A dataset, and how the small networks were trained on it.

    Attributes
    ----------
    key : str
        Begins the names of its checkpoints.
    title : str
    data : str
        Name of the dataset, with the folder of recordings where it has one.
    arguments : mapping
        Of the dataset.
    recipe : mapping
        What differs from the recipe all share.
    """

    key: str
    title: str
    data: str
    arguments: Mapping[str, Any]
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def dataset(self, split: str, progress: Callable[[int, int], None] | None = None) -> Dataset:
        """Build a split of the dataset."""
        from redundancy.datasets import build_dataset

        return build_dataset(self.data, split=split, progress=progress, **self.arguments)


def tasks(nmnist: Path | None) -> list[Task]:
    """Return the tasks that can be done here; N-MNIST needs its recordings."""
    gait = Task(
        "gait",
        "synthetic-gait",
        "synthetic-gait",
        {"train_per_class": 100, "test_per_class": 30, "n_timesteps": 10, "dt_ms": 60.0},
        {"epochs": 15},
    )
    if nmnist is None:
        return [gait]
    digits = Task(
        "nmnist",
        "N-MNIST",
        f"nmnist:{nmnist}",
        {"n_timesteps": 10},
        {"epochs": 20, "shift": 1},
    )
    return [gait, digits]


@dataclass(frozen=True)
class Workshop:
    """Where checkpoints are looked for, and results kept.

    Attributes
    ----------
    checkpoints : Path
        Folder; what is not there is trained into it.
    results : Path
        Folder of results, used again for the same checkpoint and data.
    progress : callable
        Called with (what, units, done, total).
    """

    checkpoints: Path
    results: Path
    progress: Progress

    def analysed(self, task: Task, n_seeds: int) -> Iterator[tuple[str, int, Results]]:
        """Yield (variant, seed, results) for every network of a task."""
        test_set = task.dataset("test", self._reporter(f"generating {task.title}"))
        for seed in range(n_seeds):
            for variant in VARIANTS:
                path = self.checkpoints / f"{task.key}-{variant}-{seed}.pt"
                if not path.exists():
                    self._train(task, variant, seed, path, test_set)
                yield variant, seed, self._results(path, test_set)

    def _reporter(self, what: str, units: str = "samples") -> Callable[[int, int], None]:
        return lambda done, total: self.progress(what, units, done, total)

    def _train(self, task: Task, variant: str, seed: int, path: Path, test_set: Dataset) -> None:
        from redundancy.training import Recipe, train

        train_set = task.dataset("train", self._reporter(f"generating {task.title}"))
        recipe = Recipe(**{**_RECIPE, **task.recipe, "seed": seed})
        what = f"training {path.stem}, {recipe.epochs} epochs"
        epochs_done = 0

        def on_epoch(*_: Any) -> None:
            nonlocal epochs_done
            epochs_done += 1

        def on_batch(done: int, total: int) -> None:
            self.progress(what, "samples", epochs_done * total + done, recipe.epochs * total)

        train(
            "lif-snn-3",
            {**_NETWORK, "attention": VARIANTS[variant]},
            train_set,
            test_set,
            path,
            recipe=recipe,
            device="cpu",
            # An earlier run may have been interrupted in the midst of it.
            resume=True,
            command="analyze reproduce",
            on_epoch=on_epoch,
            on_batch=on_batch,
        )

    def _results(self, path: Path, test_set: Dataset) -> Results:
        from redundancy.analysis import analyze
        from redundancy.checkpoint import load_checkpoint

        kept = self.results / f"{path.stem}.nc"
        if kept.exists():
            try:
                results = load_results(kept)
            except ResultsError:  # of another version, or damaged: made again
                pass
            else:
                known = results.attributes.get(schema.CHECKPOINT_SHA256)
                if known == sha256_of(path) and _is_of(results, test_set):
                    return results
        checkpoint = load_checkpoint(path)
        results = analyze(
            checkpoint.build_network(),
            test_set,
            checkpoint=checkpoint,
            progress=self._reporter(f"analysing {path.stem}"),
        )
        results.save(kept)
        return results


def _is_of(results: Results, test_set: Dataset) -> bool:
    """Tell whether results are of these data, as far as the data can be told apart."""
    attributes = results.attributes
    # Through JSON, as results keep them.
    arguments = json.loads(json.dumps(dict(test_set.arguments)))
    return bool(
        attributes[schema.N_SAMPLES] == len(test_set)
        and attributes.get(schema.DATASET_ARGUMENTS) == arguments
    )
