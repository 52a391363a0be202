"""What needs what: the files below the results folder that each job reads, and all that a report is made of.

Rules ask here for their inputs; nothing of the DAG is decided in ``rules/``.
"""

from __future__ import annotations

from functools import cached_property

from .catalogue import Catalogue
from .check import label_sets
from .sources import weight_files

Pair = tuple[str, str]


class Needs:
    """The inputs of every job of a configuration; paths are relative to the results folder.

    Args:
        catalogue: the validated configuration.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    # ------------------------------------------------------------ from audio to models

    def shards(self, folder: str, corpus: str) -> list[str]:
        """Return one file per shard of a corpus in a folder, in order."""
        return [f"{folder}/{shard}.npy" for shard in self.catalogue.shards(corpus)]

    def audio(self, corpus: str) -> list[str]:
        """Return the audio shards of a corpus."""
        return self.shards(f"audio/{corpus}/shards", corpus)

    def features(self, labels: str, corpus: str) -> list[str]:
        """Return the stored vectors that centroids of a label set are fitted to."""
        return self.shards(f"features/{self.catalogue.entry('labels', labels)['features']}/{corpus}", corpus)

    def labels(self, labels: str, corpus: str) -> list[str]:
        """Return the label shards of a label set."""
        return self.shards(f"labels/{labels}/{corpus}", corpus)

    def encoder(self, model: str) -> list[str]:
        """Return the files of a model's encoder; the MFCC and constant floors have none."""
        if model not in self.catalogue.encoders:
            return []
        return [f"models/{model}/encoder/{name}" for name in ("config.json", "model.safetensors")]

    def encoder_of_features(self, features: str) -> list[str]:
        """Return the encoder that layer features come from; nothing for other features."""
        model = self.catalogue.entry("features", features).get("model")
        return self.encoder(model) if model else []

    def encoder_of_labels(self, labels: str) -> list[str]:
        """Return the encoder whose layer a label set clusters; nothing for other label sets."""
        return self.encoder_of_features(self.catalogue.entry("labels", labels)["features"])

    def training_audio(self, model: str) -> list[str]:
        """Return the audio shards a model trains on."""
        return self.audio(self.catalogue.entry("models", model)["corpus"])

    def training_labels(self, model: str) -> list[str]:
        """Return the label shards a HuBERT trains on, one label set after the other; nothing for other models."""
        entry = self.catalogue.entry("models", model)
        return [path for labels in label_sets(entry) for path in self.labels(labels, entry["corpus"])]

    def run(self, model: str, file: str) -> str:
        """Return a file of the run that made a model: its own, or the one it is a snapshot of."""
        return f"models/{self.catalogue.run_of(model)}/{file}"

    def weights(self, model: str) -> list[str]:
        """Return the files of a released model that lie on this machine; none for a name on the hub."""
        return [str(path) for path in weight_files(self.catalogue.entry("models", model)["source"])]

    # ------------------------------------------------------------ probes and tables

    def scores(self, models: list[str], tasks: list[str]) -> list[str]:
        """Return the scores of some models on some tasks."""
        return [f"probes/{model}/{task}/metrics.json" for model in models for task in tasks]

    def branch(self, model: str) -> list[str]:
        """Return the scores of one model on all selected tasks."""
        return self.scores([model], self.catalogue.selected("tasks"))

    def floors(self, model: str) -> list[str]:
        """Return the scores of a model's floors on all selected tasks."""
        return self.scores(list(self.catalogue.floors_of(model).values()), self.catalogue.selected("tasks"))

    def study(self, study: str) -> list[str]:
        """Return the scores that a study's table shows."""
        return self.scores(self.catalogue.rows(study), self.catalogue.columns(study))

    # ------------------------------------------------------------ the report

    @cached_property
    def reported_models(self) -> list[str]:
        """Every model in a selected study, each once."""
        chosen = self.catalogue.selected("studies")
        return list(dict.fromkeys(model for study in chosen for model in self.catalogue.rows(study)))

    @cached_property
    def reported_tasks(self) -> list[str]:
        """Every task in a selected study, each once."""
        chosen = self.catalogue.selected("studies")
        return list(dict.fromkeys(task for study in chosen for task in self.catalogue.columns(study)))

    @cached_property
    def reported_scores(self) -> list[str]:
        """The scores of all selected studies, each once."""
        return list(dict.fromkeys(path for study in self.catalogue.selected("studies") for path in self.study(study)))

    def trained(self, models: list[str]) -> list[str]:
        """Return the models that must be trained for these: themselves, and what their labels come from."""
        found: list[str] = []
        waiting = list(models)
        while waiting:
            model = self.catalogue.run_of(waiting.pop(0))
            if model not in found:
                found.append(model)
                sets = label_sets(self.catalogue.entry("models", model))
                features = [self.catalogue.entry("labels", labels)["features"] for labels in sets]
                sources = [self.catalogue.entry("features", name).get("model") for name in features]
                waiting += [model for model in sources if model]
        return [model for model in found if model in self.catalogue.trained]

    @cached_property
    def reported_runs(self) -> list[str]:
        """The models that the report's models need trained."""
        return self.trained(self.reported_models)

    @cached_property
    def reported_corpora(self) -> list[str]:
        """The corpora that they are trained on."""
        return list(dict.fromkeys(self.catalogue.entry("models", model)["corpus"] for model in self.reported_runs))

    @cached_property
    def reported_labels(self) -> list[Pair]:
        """(labels, corpus) of every trained model in the report, and of the label sets asked for by name."""
        entries = [self.catalogue.entry("models", model) for model in self.reported_runs]
        trained = [(labels, entry["corpus"]) for entry in entries for labels in label_sets(entry)]
        asked = [(labels, corpus) for labels in self.catalogue.selected("labels") for corpus in self.reported_corpora]
        return list(dict.fromkeys(trained + asked))

    @cached_property
    def judged_labels(self) -> list[Pair]:
        """Those whose corpus has annotations to judge them by."""
        return [pair for pair in self.reported_labels if self.catalogue.entry("corpora", pair[1])["annotations"]]

    def label_files(self, name: str, pairs: list[Pair]) -> list[str]:
        """Return one file of every (labels, corpus)."""
        return [f"labels/{labels}/{corpus}/{name}" for labels, corpus in pairs]

    @cached_property
    def reported_headers(self) -> list[str]:
        """The headers of what the report is made from, in the order it is made."""
        models = [f"models/{model}" for model in self.reported_runs]
        encoders = [f"models/{model}/encoder" for model in self.reported_models if model in self.catalogue.encoders]
        folders = [f"audio/{corpus}" for corpus in self.reported_corpora]
        folders += [f"labels/{labels}/{corpus}" for labels, corpus in self.reported_labels]
        folders += [*models, *encoders, *(f"tasks/{task}" for task in self.reported_tasks)]
        return [f"{folder}/recipe.json" for folder in folders]
