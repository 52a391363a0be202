"""What one probe of one model on one task gave: ``probes/{model}/{task}/metrics.json`` and ``predictions.npz``.

The scores hold means, standard deviations and bootstrap intervals over seeds, and the bootstrap values behind them;
the predictions are what all of it was computed from, and can be scored anew.

Axes: S seeds, U units (items, or songs for keys), C classes or outputs.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import UserError
from .plain import CURE, from_plain, read_mapping
from .store import atomic, write_json

if TYPE_CHECKING:
    import numpy.typing as npt

VERSION = 1


@dataclass(frozen=True)
class Metric:
    """One metric on the test split, scale 0 to 1 (R² and key differences may be negative).

    Attributes:
        mean: over seeds.
        std: over seeds, 0 where there is one.
        low: 2.5 % of the bootstrap values.
        high: 97.5 % of them.
        seeds: the value of each seed.
        bootstrap: the mean over seeds on each resample of the units.
    """

    mean: float
    std: float
    low: float
    high: float
    seeds: tuple[float, ...]
    bootstrap: tuple[float, ...]


@dataclass(frozen=True)
class Epoch:
    """One epoch of one replica (a seed with a learning rate); None where the number was NaN or infinite."""

    seed: int
    learning_rate: float
    epoch: int
    train_loss: float | None
    valid: float | None


@dataclass(frozen=True)
class Choice:
    """What validation chose for a seed; the rule for a song's clips is chosen for keys only."""

    seed: int
    learning_rate: float
    epoch: int
    rule: str | None = None


@dataclass(frozen=True)
class Fit:
    """How a probe's heads came to be: ``probes/{model}/{task}/fit.json``.

    Attributes:
        num_items: by split.
        layer_weights: (S, states).
        curves: of the training of every replica.
        chosen: one for each seed.
    """

    num_items: dict[str, int]
    layer_weights: tuple[tuple[float, ...], ...]
    curves: tuple[Epoch, ...]
    chosen: tuple[Choice, ...]


@dataclass(frozen=True)
class Scores:
    """The scores of one probe.

    Attributes:
        model: its name.
        task: its name.
        digest: of the probe's recipe.
        test_units: digest of the test units; equal for models that were tested on the same ones.
        num_items: by split.
        metrics: by name.
        floor: the value of the trivial answer by metric.
        per_class: values in the order of the task's classes, by metric; None where the split has no item of a class.
        layer_weights: (S, states).
        curves: of the training of every replica.
        chosen: one for each seed.
    """

    model: str
    task: str
    digest: str
    test_units: str
    num_items: dict[str, int]
    metrics: dict[str, Metric]
    floor: dict[str, float]
    per_class: dict[str, tuple[float | None, ...]]
    layer_weights: tuple[tuple[float, ...], ...]
    curves: tuple[Epoch, ...]
    chosen: tuple[Choice, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the values of ``metrics.json``; a rule that was not chosen is left out."""
        return _without_rules(asdict(self))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], path: str | Path) -> Scores:
        """Return the scores that a file holds.

        Raises:
            UserError: a key is missing or unknown, a value has another type, a number is NaN or infinite.
        """
        return from_plain(cls, values, path)


@dataclass(frozen=True)
class Predictions:
    """The test units of a task and what each seed's head made of them.

    Attributes:
        kind: of the task.
        classes: names of the outputs; empty for beats.
        ids: (U,) of the items, for keys of the songs.
        groups: (U,) recordings.
        targets: (U,) classes, (U, C) labels or values, or U arrays of beat times in seconds.
        outputs: for each of S seeds float32 (U, C), or U arrays of beat times in seconds.
        floor: the trivial answer, in the form of one seed's outputs.
        ruled: for keys, outputs as the rule makes them that validation prefers of a song's clips; else empty.
    """

    kind: str
    classes: list[str]
    ids: list[str]
    groups: list[str]
    targets: Any
    outputs: list[Any]
    floor: Any
    ruled: list[Any]


def scores_path(results: str | Path, model: str, task: str) -> Path:
    """Return where the scores of a probe lie."""
    return Path(results) / "probes" / model / task / "metrics.json"


def predictions_path(results: str | Path, model: str, task: str) -> Path:
    """Return where the predictions of a probe lie."""
    return scores_path(results, model, task).with_name("predictions.npz")


def write_scores(path: str | Path, scores: Scores) -> None:
    """Write ``metrics.json``, whole or not at all."""
    write_json(path, scores.to_dict())


def read_scores(path: str | Path) -> Scores:
    """Read ``metrics.json``.

    Raises:
        UserError: the file is cut short or does not hold what :class:`Scores` says.
    """
    return Scores.from_dict(read_mapping(path), path)


def _without_rules(values: dict[str, Any]) -> dict[str, Any]:
    for choice in values["chosen"]:
        if choice["rule"] is None:
            del choice["rule"]
    return values


def write_fit(path: str | Path, fit: Fit) -> None:
    """Write ``fit.json``, whole or not at all."""
    write_json(path, _without_rules(asdict(fit)))


def read_fit(path: str | Path) -> Fit:
    """Read ``fit.json``.

    Raises:
        UserError: the file is cut short or does not hold what :class:`Fit` says.
    """
    return from_plain(Fit, read_mapping(path), path)


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write ``predictions.npz``, whole or not at all; numbers and text only, no pickles."""
    import numpy as np

    with atomic(path) as part, open(part, "wb") as stream:
        np.savez(stream, allow_pickle=False, **_arrays(predictions))


def read_predictions(path: str | Path) -> Predictions:
    """Read ``predictions.npz``.

    Raises:
        UserError: the file is cut short or lacks an array.
    """
    import numpy as np

    try:
        with np.load(path) as stored:
            arrays = dict(stored)
        return _predictions(arrays)
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError, IndexError, TypeError) as error:
        raise UserError(f"{path}: found damaged predictions ({error}), expected whole arrays; {CURE}") from None


def _arrays(predictions: Predictions) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays to store; beat times are concatenated over files (and seeds), ``*_offsets`` beside them."""
    import numpy as np

    names = {key: np.array(getattr(predictions, key), dtype=str) for key in ("kind", "classes", "ids", "groups")}
    if predictions.kind != "beats":
        ruled = {"ruled": np.asarray(predictions.ruled)} if predictions.ruled else {}
        answers = {key: np.asarray(getattr(predictions, key)) for key in ("targets", "outputs", "floor")}
        return names | answers | ruled
    times = {key: list(getattr(predictions, key)) for key in ("targets", "floor")}
    times["outputs"] = [beats for one in predictions.outputs for beats in one]
    for key, parts in times.items():
        names[key] = np.concatenate([np.zeros(0), *parts])
        names[f"{key}_offsets"] = np.cumsum([0, *map(len, parts)])
    return names


def _predictions(arrays: Mapping[str, npt.NDArray[Any]]) -> Predictions:
    """Return what stored arrays say."""
    import numpy as np

    kind, classes, ids, groups = (arrays[key].tolist() for key in ("kind", "classes", "ids", "groups"))
    if kind != "beats":
        ruled = list(arrays.get("ruled", ()))
        return Predictions(
            kind, classes, ids, groups, arrays["targets"], list(arrays["outputs"]), arrays["floor"], ruled
        )
    targets, beats, floor = (
        np.split(arrays[key], arrays[f"{key}_offsets"][1:-1]) for key in ("targets", "outputs", "floor")
    )
    per_seed = [beats[first : first + len(ids)] for first in range(0, len(beats), len(ids))]
    return Predictions(kind, classes, ids, groups, targets, per_seed, floor, [])
