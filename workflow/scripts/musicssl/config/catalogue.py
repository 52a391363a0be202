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
from pathlib import Path
from typing import Any

from . import recipes
from .check import SELECTIONS, label_sets, validate
from .inherit import ConfigError, nearest
from .sources import content_digest
from .versions import versions

Recipe = dict[str, Any]
STATES_VERSION = 1
"""Raised when :mod:`musicssl.probing.embed` gives other numbers for the same windows."""


def digest_of(value: Any) -> str:
    """Return ten hexadecimal digits of the SHA-256 of canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def deciding(cls: type, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an entry that decide its result."""
    return {f.name: entry[f.name] for f in fields(cls) if f.metadata.get("digest", True)}


def in_order(value: Any, key: str = "") -> Any:
    """Return nested mappings with sorted keys, since Snakemake compares recipes as text; parts stand in their order."""
    if not isinstance(value, dict):
        return value
    return {name: in_order(value[name], name) for name in (value if key == "parts" else sorted(value))}


def class_of(noun: str, entry: Mapping[str, Any]) -> type:
    """Return the recipe class of an entry."""
    by_noun = {
        "corpora": recipes.Corpus, "labels": recipes.Labels, "miniature": recipes.Miniature, "items": recipes.Items,
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
        return self.of_kind("hubert", "data2vec")

    def of_kind(self, *kinds: str) -> list[str]:
        """Return the models of some kinds."""
        return [name for name, values in self.entries["models"].items() if values["kind"] in kinds]

    @cached_property
    def snapshots(self) -> list[str]:
        """Trained models as they were after some of their updates."""
        return self.of_kind("snapshot")

    def run_of(self, model: str) -> str:
        """Return the model whose training makes a model: a snapshot's, else itself."""
        entry = self.entry("models", model)
        return str(entry["of"]) if entry["kind"] == "snapshot" else model

    def kept_updates(self, model: str) -> list[int]:
        """Return the updates after which a model's training keeps a snapshot, ascending."""
        table = self.entries["models"]
        return sorted(table[name]["updates"] for name in self.snapshots if table[name]["of"] == model)

    @cached_property
    def floors(self) -> list[str]:
        """Models without learning: untrained encoders, MFCCs, a constant."""
        return self.of_kind("untrained", "mfcc-floor", "constant-floor")

    @cached_property
    def encoders(self) -> list[str]:
        """Models that leave an encoder folder: all but the MFCC and constant floors."""
        return [name for name, values in self.entries["models"].items() if not values["kind"].endswith("-floor")]

    def floors_of(self, model: str) -> dict[str, str]:
        """Return the floors to print beside a model: ``{"constant", "mfcc", "random"}`` to entry names.

        The random floor is the untrained encoder of the same paradigm.
        """
        table = self.entries["models"]
        entry = table[self.run_of(model)]
        paradigm = entry.get("paradigm", entry["kind"])
        found: dict[str, str] = {}
        for name in self.floors:
            of_paradigm = table[name].get("paradigm") == paradigm
            role = {"mfcc-floor": "mfcc", "constant-floor": "constant"}.get(table[name]["kind"], "random")
            if name != model and (role != "random" or of_paradigm):
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

    def baselines(self, study: str) -> dict[str, str]:
        """Return the untrained encoder of the same paradigm, by model of a study that this run builds."""
        models = [model for model in self.rows(study) if model not in self.floors]
        return {model: floors["random"] for model in models if "random" in (floors := self.floors_of(model))}

    def sharing(self, dataset: str) -> list[str]:
        """Return the selected tasks that read one dataset, in the order of the table; their states are stored together.

        Raises:
            ConfigError: none is selected.
        """
        chosen = set(self.selected("tasks"))
        tasks = [name for name, task in self.entries["tasks"].items() if task["dataset"] == dataset and name in chosen]
        if not tasks:
            raise ConfigError([f"run.tasks: holds no task of {dataset}; add the one you ask for"])
        return tasks

    def columns(self, study: str) -> list[str]:
        """Return the tasks of a study that this run builds."""
        chosen = set(self.selected("tasks"))
        return [task for task in self.entry("studies", study)["tasks"] if task in chosen]

    @cached_property
    def miniature(self) -> dict[str, Any]:
        """The synthetic data's entry, or an empty mapping where none is configured."""
        return self.entries["miniature"].get("miniature", {})

    def synthetic_part(self, root: str) -> str:
        """Return which part of the synthetic data lies at a root; empty where it is anything else."""
        base = self.miniature.get("root")
        return Path(root).name if base and Path(root).parent == Path(base) else ""

    def place(self, noun: str, name: str) -> dict[str, Any]:
        """Return the fields of an entry that say where or how visibly it runs; no recipe holds them."""
        entry = self.entry(noun, name)
        return {key: value for key, value in entry.items() if key not in deciding(class_of(noun, entry), entry)}

    def roots_of(self, corpus: str) -> dict[str, Any]:
        """Return where a corpus' audio lies."""
        return {key: self.entry("corpora", corpus)[key] for key in ("root", "more_roots")}

    def root_of(self, task: str) -> dict[str, Any]:
        """Return where a task's dataset lies."""
        return {"root": self.entry("tasks", task)["root"]}

    # ------------------------------------------------------------ recipes

    def recipe(self, noun: str, *names: str) -> Recipe:
        """Return what a job needs to know: entry, inputs and digest, as plain values.

        Args:
            noun: ``corpora``, ``features`` (name, corpus), ``labels`` (name, corpus), ``models``, ``tasks``,
                ``items`` (task), ``states`` (model), ``embeddings`` (model, dataset), ``probes`` (model, task) or
                ``miniature`` (part).
        """
        key = (noun, *names)
        if key not in self._recipes:
            self._recipes[key] = getattr(self, f"_{noun}")(*names)
        return self._recipes[key]

    def _make(self, noun: str, name: str, entry: dict[str, Any], decides: Any, inputs: dict[str, Recipe]) -> Recipe:
        known = versions(noun, str(entry.get("kind", "")))
        entry = in_order(deciding(class_of(noun, entry), entry)) if entry else {}
        digest = digest_of([noun, decides, known, {role: recipe["digest"] for role, recipe in inputs.items()}])
        return {"noun": noun, "name": name, "digest": digest, "entry": entry, "versions": known, "inputs": inputs}

    def _corpora(self, name: str) -> Recipe:
        entry = self.entry("corpora", name)
        part = self.synthetic_part(entry["root"])
        inputs = {"data": self.recipe("miniature", part)} if part else {}
        return self._make("corpora", name, entry, [name, deciding(recipes.Corpus, entry)], inputs)

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
        if entry["kind"] == "released":
            decides["weights"] = content_digest(entry["source"])
        if entry["kind"] == "snapshot":
            inputs["model"] = self.recipe("models", decides.pop("of"))
        if "corpus" in entry:
            inputs["corpus"] = self.recipe("corpora", decides.pop("corpus"))
        for role, labels in zip(("labels", *entry.get("more_labels", ())), label_sets(entry)):
            inputs[role] = self.recipe("labels", labels, entry["corpus"])
        if spectrum := decides.pop("cqt_features", ""):
            inputs["spectrum"] = self.recipe("features", spectrum, entry["corpus"])
        decides = {key: value for key, value in decides.items() if key not in ("labels", "more_labels")}
        return self._make("models", name, entry, decides, inputs)

    def _miniature(self, part: str) -> Recipe:
        entry = self.miniature
        return self._make("miniature", part, entry, [part, deciding(recipes.Miniature, entry)], {})

    def _tasks(self, name: str) -> Recipe:
        entry = self.entry("tasks", name)
        return self._make("tasks", name, entry, deciding(recipes.Task, entry), {})

    def _items(self, name: str) -> Recipe:
        entry = self.entry("tasks", name)
        return self._make("items", name, entry, deciding(recipes.Items, entry), {})

    def _states(self, model: str) -> Recipe:
        """What decides a row of states beside its name (file and cut); which others lie beside it does not."""
        return self._make("states", model, {}, STATES_VERSION, {"model": self.recipe("models", model)})

    def _embeddings(self, model: str, dataset: str) -> Recipe:
        inputs = {"states": self.recipe("states", model)}
        inputs |= {task: self.recipe("items", task) for task in self.sharing(dataset)}
        return self._make("embeddings", f"{model}/{dataset}", {}, None, inputs)

    def _probes(self, model: str, task: str) -> Recipe:
        entry = self.entry("tasks", task)
        inputs = {"states": self.recipe("states", model), "items": self.recipe("items", task)}
        return self._make("probes", f"{model}/{task}", entry, [entry["metrics"], entry["probe"]], inputs)

    def _check_duplicates(self) -> None:
        problems = []
        corpora = self.names("corpora")[:1]
        for noun in ("corpora", "features", "labels", "models", "tasks"):
            seen: dict[str, str] = {}
            for name in self.names(noun):
                if (
                    self.entries[noun][name].get("kind") == "released"
                ):  # told apart by content, too slow for every start
                    continue
                where = corpora if noun in ("features", "labels") else []
                digest = self.recipe(noun, name, *where)["digest"]
                if digest in seen:
                    problems.append(f"{noun}.{name}: duplicate of {noun}.{seen[digest]}; remove one of the two")
                seen[digest] = name
        if problems:
            raise ConfigError(problems)
