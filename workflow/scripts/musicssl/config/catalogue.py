"""The catalogue: every entry resolved, with the digest of all that decides it.

A digest is the first ten hexadecimal digits of the SHA-256 of an entry's canonical JSON, in which references stand as
the digests of what they name and fields marked ``where()`` are left out. Two entries with one digest would pay twice
for the same result, so that is an error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from typing import Any

from . import recipes
from .check import SELECTIONS, adapter_of, label_sets, validate
from .inherit import ConfigError, nearest
from .versions import version

Recipe = dict[str, Any]


def digest_of(value: Any) -> str:
    """Return ten hexadecimal digits of the SHA-256 of canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def deciding(cls: type, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an entry, or of a part of one, that decide its result."""
    return {f.name: entry[f.name] for f in fields(cls) if f.metadata.get("digest", True) and f.name in entry}


def class_of(noun: str, entry: Mapping[str, Any]) -> type:
    """Return the recipe class of an entry."""
    by_noun = {
        "corpora": recipes.Corpus, "labels": recipes.Labels, "miniature": recipes.Miniature,
        "datasets": recipes.Dataset, "views": recipes.View,
    }  # fmt: skip
    return recipes.BY_KIND[entry["kind"]] if noun in ("features", "models") else by_noun.get(noun, recipes.Task)


class Catalogue:
    """Read-only view of a validated configuration; the only thing rules ask.

    Args:
        config: the merged tables.

    Raises:
        ConfigError: with every problem of the configuration.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.entries = validate(config)
        self.config = config
        self._recipes: dict[tuple[str, ...], Recipe] = {}
        self._check_duplicates()

    # ------------------------------------------------------------ names

    def names(self, noun: str) -> list[str]:
        """Return the concrete entries of a table."""
        return list(self.entries[noun])

    def entry(self, noun: str, name: str) -> dict[str, Any]:
        """Return one validated entry.

        Raises:
            ConfigError: there is none of that name.
        """
        table = self.entries[noun]
        if name not in table:
            raise ConfigError([f"{noun}: no entry {name!r}{nearest(name, table)}"])
        return table[name]

    @cached_property
    def trained(self) -> list[str]:
        """Models with optimizer updates: the ablation branches."""
        table = self.entries["models"].items()
        return [name for name, values in table if "optimizer" in values and values["updates"] > 0]

    @cached_property
    def snapshots(self) -> list[str]:
        """Trained models as they were after some of their updates."""
        return [name for name, values in self.entries["models"].items() if values["kind"] == "snapshot"]

    def run_of(self, model: str) -> str:
        """Return the model whose training makes a model: a snapshot's, else itself."""
        return str(self.entry("models", model).get("of", model))

    def kept_updates(self, model: str) -> list[int]:
        """Return the updates after which a model's training keeps a snapshot, ascending."""
        table = self.entries["models"]
        return sorted(table[name]["updates"] for name in self.snapshots if table[name]["of"] == model)

    @cached_property
    def floors(self) -> list[str]:
        """Models without learning: untrained encoders, MFCCs, a constant."""
        kinds = ("mfcc-floor", "constant-floor")
        return [n for n, v in self.entries["models"].items() if v["kind"] in kinds or v.get("updates") == 0]

    @cached_property
    def encoders(self) -> list[str]:
        """Models that leave an encoder folder: all but the MFCC and constant floors."""
        return [name for name, values in self.entries["models"].items() if not values["kind"].endswith("-floor")]

    def floors_of(self, model: str) -> dict[str, str]:
        """Return the floors to print beside a model: ``{"constant", "mfcc", "random"}`` to entry names.

        The random twin is the untrained encoder of the same paradigm.
        """
        table = self.entries["models"]
        entry = table[self.run_of(model)]
        kind = entry.get("paradigm", entry["kind"])
        found: dict[str, str] = {}
        for name in self.floors:
            role = {"mfcc-floor": "mfcc", "constant-floor": "constant", kind: "random"}.get(table[name]["kind"])
            if role and name != model:
                found.setdefault(role, name)
        return found

    def shards(self, corpus: str) -> list[str]:
        """Return the shard names of a corpus: "000", "001", ..."""
        return [f"{i:03d}" for i in range(self.entry("corpora", corpus)["num_shards"])]

    def selected(self, key: str) -> list[str]:
        """Return what ``run`` asks for: branches, tasks, studies, or labels no model needs to train on.

        All branches are the trained models of the selected studies.
        """
        noun, default = SELECTIONS[key]
        found = (self.config.get("run") or {}).get(key, default)
        if found != "all":
            return list(found)
        if key != "branches":
            return self.names(noun)
        asked = {
            self.run_of(model) for study in self.selected("studies") for model in self.entry("studies", study)["models"]
        }
        return [model for model in self.trained if model in asked]

    def rows(self, study: str) -> list[str]:
        """Return the models of a study that this run builds, with snapshots of chosen branches, then the floors."""
        chosen = set(self.selected("branches"))
        table = self.entries["models"]
        asked = self.entry("studies", study)["models"]
        models = [m for m in asked if self.run_of(m) in chosen or table[m]["kind"] == "released"]
        return models + [name for name in self.floors if name not in models]

    def twins(self, study: str) -> dict[str, str]:
        """Return the untrained encoder of the same paradigm, by model of a study that this run builds."""
        models = [model for model in self.rows(study) if model not in self.floors]
        return {model: floors["random"] for model in models if "random" in (floors := self.floors_of(model))}

    def columns(self, study: str) -> list[str]:
        """Return the tasks of a study that this run builds."""
        chosen = set(self.selected("tasks"))
        return [task for task in self.entry("studies", study)["tasks"] if task in chosen]

    @cached_property
    def miniature(self) -> dict[str, Any]:
        """The synthetic data's entry, or an empty mapping where none is configured."""
        return self.entries["miniature"].get("miniature", {})

    def place(self, noun: str, name: str) -> dict[str, Any]:
        """Return the fields of an entry that say where or how visibly it runs; no recipe holds them."""
        entry = self.entry(noun, name)
        return {key: value for key, value in entry.items() if key not in deciding(class_of(noun, entry), entry)}

    def roots_of(self, corpus: str) -> dict[str, Any]:
        """Return where a corpus' audio lies."""
        return {key: self.entry("corpora", corpus)[key] for key in ("root", "more_roots")}

    def root_of(self, dataset: str) -> dict[str, Any]:
        """Return where a dataset lies."""
        return {"root": self.entry("datasets", dataset)["root"]}

    # ------------------------------------------------------------ states

    def views(self, *rows: str) -> list[str]:
        """Return the views that store such rows."""
        return [name for name, view in self.entries["views"].items() if view["rows"] in rows]

    def blocks(self, dataset: str) -> list[str]:
        """Return the blocks in which a dataset is embedded: "000", "001", ..."""
        return [f"{i:03d}" for i in range(self.entry("datasets", dataset)["num_blocks"])]

    def states_files(self, model: str, task: str, suffix: str) -> list[str]:
        """Return the files, below the results, of a model's states that a task needs, one a block, in order."""
        entry = self.entry("tasks", task)
        folder = f"states/{model}/{entry['dataset']}/{entry['view']}"
        return [f"{folder}/{block}{suffix}" for block in self.blocks(entry["dataset"])]

    # ------------------------------------------------------------ recipes

    def recipe(self, noun: str, *names: str) -> Recipe:
        """Return what a job needs to know: entry, inputs and digest, as plain values.

        Args:
            noun: ``corpora``, ``features`` (name, corpus), ``labels`` (name, corpus), ``models``, ``datasets``,
                ``views``, ``tasks``, ``states`` (model, dataset, view), ``probes`` (model, task) or ``miniature``
                (part).
        """
        key = (noun, *names)
        if key not in self._recipes:
            self._recipes[key] = getattr(self, f"_{noun}")(*names)
        return self._recipes[key]

    def _make(self, noun: str, name: str, entry: dict[str, Any], decides: Any, inputs: dict[str, Recipe]) -> Recipe:
        entry = deciding(class_of(noun, entry), entry) if entry else {}
        digest = digest_of([noun, decides, {role: recipe["digest"] for role, recipe in inputs.items()}])
        return {"noun": noun, "name": name, "digest": digest, "entry": entry, "inputs": inputs}

    def _corpora(self, name: str) -> Recipe:
        entry = self.entry("corpora", name)
        return self._make("corpora", name, entry, [name, deciding(recipes.Corpus, entry)], {})

    def _features(self, name: str, corpus: str) -> Recipe:
        entry = self.entry("features", name)
        inputs = {"corpus": self.recipe("corpora", corpus)}
        decides = dict(entry)
        if entry["kind"] == "layer":
            inputs["model"] = self.recipe("models", decides.pop("model"))
        if entry["kind"] == "combined":
            inputs |= {part: self.recipe("features", part, corpus) for part in entry["parts"]}
            decides["parts"] = list(entry["parts"].values())
        return self._make("features", name, entry, decides, inputs)

    def _labels(self, name: str, corpus: str) -> Recipe:
        entry = self.entry("labels", name)
        inputs = {"features": self.recipe("features", entry["features"], corpus)}
        decides = {key: value for key, value in deciding(recipes.Labels, entry).items() if key != "features"}
        return self._make("labels", name, entry, decides, inputs)

    def _models(self, name: str) -> Recipe:
        entry = self.entry("models", name)
        decides = deciding(recipes.BY_KIND[entry["kind"]], entry)
        inputs = {}
        if "of" in entry:
            inputs["model"] = self.recipe("models", decides.pop("of"))
        if "corpus" in entry:
            inputs["corpus"] = self.recipe("corpora", decides.pop("corpus"))
        for role, labels in zip(("labels", *entry.get("more_labels", ())), label_sets(entry)):
            inputs[role] = self.recipe("labels", labels, entry["corpus"])
        decides = {key: value for key, value in decides.items() if key not in ("labels", "more_labels")}
        return self._make("models", name, entry, decides, inputs)

    def _miniature(self, part: str) -> Recipe:
        entry = self.miniature
        return self._make("miniature", part, entry, [part, deciding(recipes.Miniature, entry)], {})

    def _datasets(self, name: str) -> Recipe:
        """What decides the list of a dataset's recordings."""
        return self._make("datasets", name, self.entry("datasets", name), [name, version("datasets/listing.py")], {})

    def _views(self, name: str) -> Recipe:
        entry = self.entry("views", name)
        return self._make("views", name, entry, [deciding(recipes.View, entry), version("tasks/views.py")], {})

    def _tasks(self, name: str) -> Recipe:
        """What decides a task's items; its view does where each window is one."""
        entry = deciding(recipes.Items, self.entry("tasks", name))
        inputs = {"dataset": self.recipe("datasets", entry["dataset"])}
        if entry["items"] == "window":
            inputs["view"] = self.recipe("views", self.entry("tasks", name)["view"])
        decides = [entry, version("tasks/prepare.py"), version(adapter_of(entry["dataset"]))]
        return self._make("tasks", name, entry, decides, inputs)

    def _states(self, model: str, dataset: str, view: str) -> Recipe:
        """What decides the hidden states of a model: no task does."""
        inputs = {"model": self.recipe("models", model), "dataset": self.recipe("datasets", dataset)}
        inputs["view"] = self.recipe("views", view)
        return self._make("states", f"{model}/{dataset}/{view}", {}, version("probing/embed.py"), inputs)

    def _probes(self, model: str, task: str) -> Recipe:
        entry = self.entry("tasks", task)
        inputs = {"states": self.recipe("states", model, entry["dataset"], entry["view"])}
        inputs["task"] = self.recipe("tasks", task)
        return self._make("probes", f"{model}/{task}", entry, [entry["probe"], version("probing/fit.py")], inputs)

    def _check_duplicates(self) -> None:
        problems = []
        corpora = self.names("corpora")[:1]
        for noun in ("corpora", "features", "labels", "models", "views", "tasks"):
            seen: dict[str, str] = {}
            for name in self.names(noun):
                where = corpora if noun in ("features", "labels") else []
                digest = self.recipe(noun, name, *where)["digest"]
                if noun == "tasks":  # two may have the same items and another view or probe
                    digest = digest_of([digest, *(self.entry(noun, name)[key] for key in ("view", "probe"))])
                if digest in seen:
                    problems.append(f"{noun}.{name}: duplicate of {noun}.{seen[digest]}; remove one of the two")
                seen[digest] = name
        if problems:
            raise ConfigError(problems)
