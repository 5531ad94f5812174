"""How a network is trained, what an epoch came to, and where it is all written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from redundancy.errors import UsageError

LOSSES = ("mse", "cross-entropy")
OPTIMIZERS = ("adam", "sgd")
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: with a cosine schedule to `final_learning_rate`.

    The defaults are the paper's for the 3-layer network, but for the number of epochs (200).

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate, final_learning_rate, weight_decay : float
    loss : {"mse", "cross-entropy"}
        Mean squared error of the output rate against one-hot labels, as the paper
        trains, or cross-entropy of the rates.
    shift : int
        Each training sample is moved by up to this many pixels in y and x, drawn anew
        in every epoch; 0 for none.
    seed : int
        Of the weights, the order of samples, the shifts and the flips.
    optimizer : {"adam", "sgd"}
    momentum : float
        Of SGD; Adam has no use for it.
    flip : bool
        Whether half of the training samples are mirrored in x, drawn anew in every epoch.
    precision : {"float32", "bfloat16", "float16"}
        Of convolutions and products while training; weights, membrane potentials and tests
        stay in float32.
    """

    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 1e-4
    final_learning_rate: float = 1e-6
    weight_decay: float = 1e-4
    loss: str = "mse"
    shift: int = 0
    seed: int = 0
    optimizer: str = "adam"
    momentum: float = 0.0
    flip: bool = False
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise UsageError(f"loss must be one of {', '.join(LOSSES)}, got {self.loss!r}")
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}"
            )
        if self.optimizer not in OPTIMIZERS:
            raise UsageError(
                f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}"
            )
        if not 0 <= self.momentum < 1 or (self.momentum and self.optimizer != "sgd"):
            raise UsageError(
                "momentum must be at least 0 and less than 1, and 0 unless the optimizer is sgd, "
                f"got {self.momentum} with {self.optimizer}"
            )
        rates = (self.learning_rate, self.final_learning_rate, self.weight_decay)
        if (
            min(self.epochs, self.batch_size) < 1
            or min(self.shift, self.seed) < 0
            or self.learning_rate <= 0
            or not all(0 <= rate < math.inf for rate in rates)
        ):
            raise UsageError(
                "epochs and batch size must be at least 1, the learning rate positive and finite, "
                "the final learning rate, weight decay, shift and seed not negative, "
                f"got {self}"
            )


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; accuracies are fractions, times seconds."""

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float


@dataclass(frozen=True)
class TrainingFiles:
    """The files of one training, all beside the final checkpoint."""

    final: Path

    @property
    def best(self) -> Path:
        """Weights of the epoch with the highest test accuracy."""
        return self.final.with_name(f"{self.final.stem}.best{self.final.suffix}")

    @property
    def last(self) -> Path:
        """Everything needed to go on after an interruption; removed at the end."""
        return self.final.with_name(f"{self.final.stem}.last{self.final.suffix}")

    @property
    def record(self) -> Path:
        """The training record."""
        return self.final.with_name(f"{self.final.stem}.training.json")
