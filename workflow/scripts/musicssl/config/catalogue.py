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
from .check import SELECTIONS, adapter_of, label_sets, validate
from .inherit import ConfigError, nearest
from .sources import content_digest
from .versions import version, versions

Recipe = dict[str, Any]
REFERENCES = {  # keys that name other entries
    "features": ("model",),
    "labels": ("features",),
    "models": ("of", "corpus", "labels", "more_labels", "cqt_features"),
}


def digest_of(value: Any) -> str:
    """Return ten hexadecimal digits of the SHA-256 of canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def recipe_digest(recipe: Mapping[str, Any]) -> str:
    """Return the digest of a recipe by what it says: noun, own values, versions, and the digests of its inputs.

    References to other entries stand in it as those entries' digests, so renaming an entry changes nothing; data from
    outside have nothing but their name.
    """
    entry, noun = dict(recipe["entry"]), recipe["noun"]
    for key in REFERENCES.get(noun, ()):
        if key != "of" or entry.get("kind") == "snapshot":
            entry.pop(key, None)
    own: Any = entry
    if noun in ("corpora", "miniature", "datasets"):
        own = [recipe["name"], entry]
    elif "parts" in entry:
        own = entry | {"parts": list(entry["parts"].values())}
    elif noun == "probes":
        own = entry["probe"]
    inputs = {role: one["digest"] for role, one in recipe["inputs"].items()}
    return digest_of([noun, own, recipe["versions"], recipe.get("weights", ""), inputs])


def deciding(cls: type, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an entry, or of a part of one, that decide its result."""
    return {f.name: entry[f.name] for f in fields(cls) if f.metadata.get("digest", True) and f.name in entry}


def in_order(value: Any, key: str = "") -> Any:
    """Return nested mappings with sorted keys, since Snakemake compares recipes as text; parts stand in their order."""
    if not isinstance(value, dict):
        return value
    return {name: in_order(value[name], name) for name in (value if key == "parts" else sorted(value))}


def class_of(noun: str, entry: Mapping[str, Any]) -> type:
    """Return the recipe class of an entry."""
    by_noun = {
        "corpora": recipes.Corpus, "labels": recipes.Labels, "miniature": recipes.Miniature,
        "datasets": recipes.Dataset, "views": recipes.View, "studies": recipes.Study, "scores": recipes.Scoring,
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
                ``views``, ``tasks``, ``states`` (model, dataset, view), ``probes`` and ``scores`` (model, task),
                ``branches`` (model), ``studies`` or ``miniature`` (part).
        """
        key = (noun, *names)
        if key not in self._recipes:
            self._recipes[key] = getattr(self, f"_{noun}")(*names)
        return self._recipes[key]

    def _make(
        self, noun: str, name: str, entry: Mapping[str, Any], inputs: dict[str, Recipe], **content: Any
    ) -> Recipe:
        kind = str(entry.get("kind", ""))
        known = versions(noun, kind) | ({adapter_of(entry["dataset"]): 0} if noun == "tasks" else {})
        known = {file: version(file) for file in known}
        own = in_order(deciding(class_of(noun, entry), entry)) if entry else {}
        recipe = {
            "noun": noun,
            "name": name,
            "digest": "",
            "entry": own,
            "versions": known,
            **content,
            "inputs": inputs,
        }
        return recipe | {"digest": recipe_digest(recipe)}

    def _corpora(self, name: str) -> Recipe:
        entry = self.entry("corpora", name)
        part = self.synthetic_part(entry["root"])
        return self._make("corpora", name, entry, {"data": self.recipe("miniature", part)} if part else {})

    def _features(self, name: str, corpus: str) -> Recipe:
        entry = self.entry("features", name)
        inputs = {"corpus": self.recipe("corpora", corpus)}
        if entry["kind"] == "layer":
            inputs["model"] = self.recipe("models", entry["model"])
        if entry["kind"] == "combined":
            inputs |= {part: self.recipe("features", part, corpus) for part in entry["parts"]}
        return self._make("features", name, entry, inputs)

    def _labels(self, name: str, corpus: str) -> Recipe:
        entry = self.entry("labels", name)
        return self._make("labels", name, entry, {"features": self.recipe("features", entry["features"], corpus)})

    def _models(self, name: str) -> Recipe:
        entry = self.entry("models", name)
        inputs = {}
        if entry["kind"] == "snapshot":
            inputs["model"] = self.recipe("models", entry["of"])
        if "corpus" in entry:
            inputs["corpus"] = self.recipe("corpora", entry["corpus"])
        for role, labels in zip(("labels", *entry.get("more_labels", ())), label_sets(entry)):
            inputs[role] = self.recipe("labels", labels, entry["corpus"])
        if spectrum := entry.get("cqt_features", ""):
            inputs["spectrum"] = self.recipe("features", spectrum, entry["corpus"])
        if entry["kind"] == "released":
            return self._make("models", name, entry, inputs, weights=content_digest(entry["source"]))
        return self._make("models", name, entry, inputs)

    def _miniature(self, part: str) -> Recipe:
        return self._make("miniature", part, self.miniature, {})

    def _datasets(self, name: str) -> Recipe:
        entry = self.entry("datasets", name)
        part = self.synthetic_part(entry["root"])
        return self._make("datasets", name, entry, {"data": self.recipe("miniature", part)} if part else {})

    def _views(self, name: str) -> Recipe:
        return self._make("views", name, self.entry("views", name), {})

    def _tasks(self, name: str) -> Recipe:
        """What decides a task's items; its view does where each window is one."""
        entry = self.entry("tasks", name)
        inputs = {"dataset": self.recipe("datasets", entry["dataset"])}
        if entry["items"] == "window":
            inputs["view"] = self.recipe("views", entry["view"])
        return self._make("tasks", name, {key: entry[key] for key in recipes.field_names(recipes.Items)}, inputs)

    def _states(self, model: str, dataset: str, view: str) -> Recipe:
        """What decides the hidden states of a model: no task does."""
        inputs = {"model": self.recipe("models", model), "dataset": self.recipe("datasets", dataset)}
        return self._make("states", f"{model}/{dataset}/{view}", {}, inputs | {"view": self.recipe("views", view)})

    def _probes(self, model: str, task: str) -> Recipe:
        """What decides the answers of a probe; how often their scores are resampled does not, and stands as 0."""
        entry = self.entry("tasks", task)
        inputs = {"states": self.recipe("states", model, entry["dataset"], entry["view"])}
        asked = entry | {"probe": entry["probe"] | {"num_bootstraps": 0}}
        return self._make("probes", f"{model}/{task}", asked, inputs | {"task": self.recipe("tasks", task)})

    def _scores(self, model: str, task: str) -> Recipe:
        entry = {"num_bootstraps": self.entry("tasks", task)["probe"]["num_bootstraps"]}
        return self._make("scores", f"{model}/{task}", entry, {"probe": self.recipe("probes", model, task)})

    def _branches(self, model: str) -> Recipe:
        """The summary of a model: its scores and its floors'."""
        models = [model, *self.floors_of(model).values()]
        pairs = [(one, task) for one in models for task in self.selected("tasks")]
        return self._make("branches", model, {}, {f"{m}/{t}": self.recipe("scores", m, t) for m, t in pairs})

    def _studies(self, study: str) -> Recipe:
        pairs = [(model, task) for model in self.rows(study) for task in self.columns(study)]
        inputs = {f"{model}/{task}": self.recipe("scores", model, task) for model, task in pairs}
        return self._make("studies", study, self.entry("studies", study), inputs)

    def _check_duplicates(self) -> None:
        problems = []
        corpora = self.names("corpora")[:1]
        for noun in ("corpora", "features", "labels", "models", "views", "tasks"):
            seen: dict[str, str] = {}
            for name in self.names(noun):
                if self.entries[noun][name].get("kind") == "released":
                    continue  # told apart by content, which would be read at every start
                where = corpora if noun in ("features", "labels") else []
                digest = self.recipe(noun, name, *where)["digest"]
                if noun == "tasks":  # two may have the same items and another view or probe
                    digest = digest_of([digest, *(self.entry(noun, name)[key] for key in ("view", "probe"))])
                if digest in seen:
                    problems.append(f"{noun}.{name}: duplicate of {noun}.{seen[digest]}; remove one of the two")
                seen[digest] = name
        if problems:
            raise ConfigError(problems)
