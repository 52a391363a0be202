"""Validation of the merged tables: types and keys by pydantic, then what holds between entries.

Every problem is one sentence with a dotted path; all of them are reported together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import cache, reduce
from operator import getitem
from typing import Annotated, Any, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from ..geometry import HOP, RECEPTIVE_FIELD, SAMPLE_RATE_HZ, times
from . import recipes
from .inherit import ConfigError, Path, merge, nearest, resolve
from .limits import beyond_limits
from .versions import version

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TABLES: dict[str, Any] = {
    "corpora": recipes.Corpus,
    "features": Annotated[recipes.FEATURES, Field(discriminator="kind")],
    "labels": recipes.Labels,
    "models": Annotated[recipes.MODELS, Field(discriminator="kind")],
    "datasets": recipes.Dataset,
    "views": recipes.View,
    "protocols": recipes.Protocol,
    "tasks": recipes.Task,
    "studies": recipes.Study,
    "miniature": recipes.Miniature,
}
SELECTIONS: dict[str, tuple[str, Any]] = {  # keys of `run`: the table each chooses from, and what it is without a word
    "branches": ("models", "all"),
    "tasks": ("tasks", "all"),
    "studies": ("studies", "all"),
    "labels": ("labels", []),
}
LAYERS = "expected `all` or state numbers in ascending order, such as [0, 6]"
TOP_LEVEL = {*TABLES, "pathvars", "run"}
Entries = dict[str, dict[str, dict[str, Any]]]
Origins = dict[tuple[str, str], dict[Path, str]]
"""By table and entry: for every leaf the entry in which it stands."""


@cache
def adapter(noun: str) -> TypeAdapter[Any]:
    """Return pydantic's validator of one table's entries, built once."""
    return TypeAdapter(TABLES[noun])


def validate(config: Mapping[str, Any]) -> Entries:
    """Return all concrete entries, inherited and validated, as plain values.

    Raises:
        ConfigError: with every problem found.
    """
    problems = [f"{key}: unknown table{nearest(key, TOP_LEVEL)}" for key in config if key not in TOP_LEVEL]
    entries: Entries = {}
    origins: Origins = {}
    for noun in TABLES:
        table = table_of(config, noun)
        entries[noun] = {}
        for name, raw in table.items():
            where = f"{noun}.{name}"
            if not SLUG.fullmatch(str(name)):
                problems.append(f"{where}: names are lower-case words joined by '-', such as 'mfcc39-k500'")
            elif not isinstance(raw, Mapping):
                problems.append(f"{where}: found {raw!r}, expected a mapping")
            elif not raw.get("abstract"):
                try:
                    values, origin = resolve(table, name)
                    if noun == "tasks":
                        values = with_protocol(values, name, config)
                    if noun == "models" and values.get("kind") == "untrained":
                        values = with_origin(values, name, table)
                    entries[noun][name] = asdict(adapter(noun).validate_python(values))
                    origins[noun, name] = origin
                    for key, text in beyond_limits(noun, entries[noun][name]):
                        if stands_elsewhere(values, tuple(key.split(".")), origin):
                            continue
                        problems.append(f"{noun}.{standing_in(name, tuple(key.split('.')), origin)}.{key}: {text}")
                except ConfigError as error:
                    problems += [f"{noun}.{problem}" for problem in error.problems]
                except ValidationError as error:
                    problems += [sentence(noun, name, values, origin, e) for e in error.errors()]
    names = {noun: concrete(table_of(config, noun)) for noun in TABLES}
    problems += unknown_references(entries, names, origins) + selection_problems(names, config)
    problems = problems or relations(entries, origins)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return entries


def with_protocol(values: dict[str, Any], name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's values with those of the protocol it names below its own ``probe``.

    Raises:
        ConfigError: there is no such protocol.
    """
    table, protocol = table_of(config, "protocols"), values.get("protocol")
    if protocol not in table:
        raise ConfigError([f"{name}.protocol: no protocols entry {protocol!r}{nearest(str(protocol), table)}"])
    return merge({"probe": resolve(table, protocol)[0]}, values)


def with_origin(values: dict[str, Any], name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return an untrained model's values over those of the model it is the beginning of.

    Raises:
        ConfigError: there is no such model, or it is none that this workflow trains.
    """
    of = values.get("of")
    if of is None:
        return values
    if of not in table:
        raise ConfigError([f"{name}.of: no models entry {of!r}{nearest(str(of), table)}"])
    trained = resolve(table, of)[0]
    if trained.get("kind") not in ("hubert", "data2vec"):
        raise ConfigError([f"{name}.of: {of} is of kind {trained.get('kind')!r}, expected hubert or data2vec"])
    own: dict[str, Any] = {key: trained[key] for key in ("architecture", "seed", "normalize") if key in trained}
    return merge(own | {"paradigm": trained["kind"]}, values)


def table_of(config: Mapping[str, Any], noun: str) -> dict[str, Any]:
    """Return the raw entries of a table; ``null`` removes one. The miniature is a table of at most one entry."""
    table = config.get(noun) or {}
    if noun == "miniature":
        table = {"miniature": table} if table else {}
    return {name: value for name, value in table.items() if value is not None}


def concrete(table: Mapping[str, Any]) -> set[str]:
    """Return the entries of a table that are built."""
    return {name for name, raw in table.items() if not (isinstance(raw, Mapping) and raw.get("abstract"))}


def sentence(noun: str, name: str, values: Any, origin: dict[Path, str], error: Any) -> str:
    """Turn one pydantic error into a sentence that names the entry where the value stands."""
    kinds = set(recipes.BY_KIND) | {"PolynomialSchedule", "TriStageSchedule"}
    path = tuple(str(part) for part in error["loc"] if str(part) not in kinds)
    if "layers" in path:  # of both arms of its union
        path = path[: path.index("layers") + 1]
    entry = standing_in(name, path, origin)
    where = ".".join([noun, entry, *path])
    if path[-1:] == ("layers",) and error["type"] != "missing":
        return f"{where}: found {reduce(getitem, path, values)!r}, {LAYERS}"
    kind = error["type"]
    if kind == "unexpected_keyword_argument":
        return f"{where}: unknown key{nearest(path[-1], known_keys(noun, values, path[:-1]))}"
    if kind in ("missing", "missing_argument"):
        return f"{'.'.join([noun, name, *path])}: missing"
    if kind.startswith("union_tag"):
        return f"{noun}.{entry}.kind: found {values.get('kind')!r}, expected one of {', '.join(kinds_of(noun))}"
    return f"{where}: found {error['input']!r}; {error['msg'][0].lower()}{error['msg'][1:]}"


def stands_elsewhere(values: Mapping[str, Any], path: Path, origin: dict[Path, str]) -> bool:
    """Return whether a value of an untrained model is that of the model it begins, where it is checked already."""
    return values.get("kind") == "untrained" and not any(leaf[: len(path)] == path for leaf in origin)


def standing_in(name: str, path: Path, origin: dict[Path, str]) -> str:
    """Return the entry in which the value at a path of entry ``name`` stands, itself where it has several sources."""
    sources = {entry for leaf, entry in origin.items() if leaf[: len(path)] == path}
    return sources.pop() if len(sources) == 1 else name


def kinds_of(noun: str) -> list[str]:
    """Return the values ``kind`` may have in a table."""
    options = recipes.FEATURES if noun == "features" else recipes.MODELS
    return [kind for kind, cls in recipes.BY_KIND.items() if cls in options.__args__]


def known_keys(noun: str, values: Any, path: Path) -> list[str]:
    """Return the field names allowed at a path of an entry."""
    cls: Any = recipes.BY_KIND.get(str(values.get("kind"))) if noun in ("features", "models") else TABLES[noun]
    for part in path:
        cls = get_type_hints(cls).get(part) if is_dataclass(cls) else None
    options = getattr(cls, "__args__", (cls,))
    return sorted({f.name for option in options if is_dataclass(option) for f in fields(option)})


def relations(entries: Entries, origins: Origins) -> list[str]:
    """Return what is wrong between entries whose references exist: circles, rates, sizes."""
    problems = circles(entries)
    for name, values in entries["corpora"].items():
        if not values["root"]:
            problems.append(f"corpora.{name}.root: missing; name the folder of the audio")
        if values["min_clip_s"] > values["clip_s"]:
            problems.append(f"corpora.{name}.min_clip_s: {values['min_clip_s']} is longer than clip_s")
    for name, values in entries["features"].items():
        problems += [f"features.{name}.{text}" for text in feature_problems(values, entries)]
    for name, values in entries["models"].items():
        if "optimizer" in values:
            problems += [f"models.{name}.{text}" for text in pretraining_problems(values, entries)]
        if values["kind"] == "snapshot":
            problems += [f"models.{name}.{text}" for text in snapshot_problems(values, entries["models"])]
    for name, values in entries["datasets"].items():
        problems += [f"datasets.{name}.{text}" for text in dataset_problems(name, values)]
    for name, values in entries["views"].items():
        problems += [f"views.{name}.{text}" for text in view_problems(values)]
    for name, values in entries["tasks"].items():
        for key, text in task_problems(values, entries):
            problems.append(f"tasks.{standing_in(name, tuple(key.split('.')), origins['tasks', name])}.{key}: {text}")
    return problems


def dataset_problems(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a datasets entry: no folder, or no adapter of its name."""
    if not values["root"]:
        yield "root: missing; name the folder of the dataset"
    try:
        version(adapter_of(name))
    except ConfigError:
        yield f"root: no adapter {adapter_of(name)} would read it; correct the name of the entry, or write one"


def adapter_of(dataset: str) -> str:
    """Return the library's file that reads a dataset."""
    return f"datasets/{dataset.replace('-', '_')}.py"


def view_problems(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not fit inside one view."""
    window_s, rows = values["window_s"], values["rows"]
    if rows == "window" and not window_s:
        yield "rows: found window, but window_s is 0, which takes recordings whole; set window_s, or rows: recording"
    if rows == "frame" and window_s:
        yield f"window_s: found {window_s}, expected 0: frames are those of whole recordings"
    if 0 < window_s * SAMPLE_RATE_HZ < RECEPTIVE_FIELD:
        yield f"window_s: {window_s} is shorter than the {RECEPTIVE_FIELD} samples that a frame sees"
    if window_s and values["min_s"] > window_s:
        yield f"min_s: {values['min_s']} is longer than window_s {window_s}"


def task_problems(values: Mapping[str, Any], entries: Entries) -> Iterator[tuple[str, str]]:
    """Yield key and what is wrong for a task whose dataset and view exist."""
    view, beats = entries["views"][values["view"]], values["kind"] == "beats"
    probe = values["probe"]
    if beats != (view["rows"] == "frame"):
        expected = "a view with rows: frame, as beats need" if beats else "one with rows: recording or window"
        yield "view", f"{values['view']} gives a row a {view['rows']}, expected {expected}"
    elif values["items"] == "window" and not (view["rows"] == "window" and view["min_s"] == view["window_s"]):
        yield (
            "view",
            f"{values['view']} gives a row a {view['rows']} and keeps windows of {view['min_s']} s, expected rows: "
            "window and min_s equal to window_s, since each window is an item (items: window)",
        )
    if beats and probe["beats"] is None:
        yield "probe.beats", "missing; expected crop_s, frame_times and neighbors"
    if not beats and probe["beats"] is not None:
        yield "probe.beats", f"found for kind {values['kind']}, expected none: only the probe of beats reads it"
    for key in ("seeds", "learning_rates"):
        if not probe[key]:
            yield f"probe.{key}", "may not be empty"
    if text := layers_problem(probe["layers"], entries["models"]):
        yield "probe.layers", text


def layers_problem(layers: str | list[int], models: Mapping[str, dict[str, Any]]) -> str | None:
    """Return what is wrong with the states that a probe sums; those of released models are known when they are read."""
    if isinstance(layers, str):
        return None
    if not layers or layers != sorted(set(layers)) or layers[0] < 0:
        return f"found {layers}, {LAYERS}"
    sizes = {name: model["architecture"]["num_layers"] for name, model in models.items() if "architecture" in model}
    small = next((name for name, size in sizes.items() if layers[-1] > size), None)
    return small and f"found {layers[-1]}, but {small} has the states 0 to {sizes[small]}"


def unknown_references(entries: Entries, names: Mapping[str, set[str]], origins: Origins) -> list[str]:
    """Return references to entries that do not exist."""
    problems = []
    pointers = [("labels", "features", "features"), ("features", "model", "models"), ("features", "parts", "features")]
    pointers += [("models", "corpus", "corpora"), ("models", "labels", "labels"), ("models", "more_labels", "labels")]
    pointers += [("models", "of", "models"), ("models", "cqt_features", "features")]
    pointers += [("tasks", "dataset", "datasets"), ("tasks", "view", "views")]
    pointers += [("studies", "models", "models"), ("studies", "tasks", "tasks")]
    for noun, key, target in pointers:
        for name, values in entries[noun].items():
            found = values.get(key, [])
            if key == "cqt_features" and not found:
                continue  # predicts no spectrum
            for word in [found] if isinstance(found, str) else found:
                if word not in names[target]:
                    near, entry = nearest(word, names[target]), standing_in(name, (key,), origins[noun, name])
                    problems.append(f"{noun}.{entry}.{key}: no {target} entry {word!r}{near}")
    return problems


def circles(entries: Entries) -> list[str]:
    """Return models whose labels depend on themselves."""

    def chains(seen: list[str]) -> Iterator[str]:
        for labels in label_sets(trained_as(entries["models"], seen[-1])):
            model = entries["features"][entries["labels"][labels]["features"]].get("model")
            if model and entries["models"][model]["kind"] == "snapshot":
                model = entries["models"][model]["of"]
            if model in seen:
                yield f"models.{seen[0]}.labels: {' <- '.join([*seen, model])} is a circle"
            elif model:
                yield from chains([*seen, model])

    return [problem for start in entries["models"] for problem in chains([start])]


def label_sets(model: Mapping[str, Any]) -> list[str]:
    """Return the label sets that a model predicts."""
    return [model["labels"], *model["more_labels"]] if "labels" in model else []


def trained_as(models: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the entry whose training makes a model: a snapshot's, else its own."""
    entry = models[name]
    return models[entry["of"]] if entry["kind"] == "snapshot" else entry


def snapshot_problems(values: dict[str, Any], models: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return what is wrong with a snapshot whose model exists."""
    of = models[values["of"]]
    if "optimizer" not in of:
        return [f"of: {values['of']} is of kind {of['kind']}, expected hubert or data2vec"]
    if not 0 < values["updates"] < of["updates"]:
        return [f"updates: {values['updates']} is not between 0 and the {of['updates']} of {values['of']}"]
    return []


def feature_problems(values: dict[str, Any], entries: Entries) -> list[str]:
    """Return what does not fit inside one features entry, or between it and what it is made of."""
    problems = []
    rate = values["frame_rate_hz"]
    if rate not in ((50,) if values["kind"] == "layer" else (50, 100)):
        problems.append(f"frame_rate_hz: {rate} does not fit the encoder's 50 Hz")
    if values["kind"] == "layer":
        of = trained_as(entries["models"], values["model"])
        layers = of["architecture"]["num_layers"] if "architecture" in of else None
        if of["kind"].endswith("-floor"):
            problems.append(f"model: {values['model']} is of kind {of['kind']}, which has no layers; name an encoder")
        elif values["layer"] < 1 or (layers is not None and values["layer"] > layers):
            known = f"1 to {layers}, the layers of {values['model']}" if layers else "at least 1"
            problems.append(f"layer: found {values['layer']}, expected {known}")
    for part in values.get("parts", {}):
        other = entries["features"][part]
        if other["kind"] in ("layer", "combined"):
            problems.append(f"parts.{part}: of kind {other['kind']}, expected mfcc, chroma or cqt")
        elif other["frame_rate_hz"] != rate:
            problems.append(f"parts.{part}: {other['frame_rate_hz']} frames a second, expected {rate}")
    return problems


def pretraining_problems(values: dict[str, Any], entries: Entries) -> list[str]:
    """Return what does not fit inside one pre-training recipe."""
    problems = []
    size, batch = values["architecture"], values["batch"]
    corpus = entries["corpora"][values["corpus"]]
    rate = corpus["sample_rate_hz"]
    if values["crop_s"] > corpus["clip_s"]:
        problems.append(f"crop_s: {values['crop_s']} is longer than the clips of corpus {values['corpus']}")
    if values["crop_s"] * rate % HOP:
        problems.append(f"crop_s: {values['crop_s']} is not a whole number of {HOP}-sample frames")
    short = values["short_crop_s"]
    if values["short_updates"] and (short <= 0 or values["crop_s"] / short % 1 or short * rate % HOP):
        problems.append(f"short_crop_s: {short} does not divide crop_s {values['crop_s']} into whole frames")
    crop, group, total, micro = values["crop_s"], batch["group_s"], batch["global_s"], values["micro_batch_s"]
    for key, whole, part in (("group_s", group, crop), ("global_s", total, group)):
        if not times(part, whole):
            problems.append(f"batch.{key}: {whole} is not a multiple of {part} s")
    if micro and not (times(crop, micro) and times(micro, total) and (times(micro, group) or times(group, micro))):
        problems.append(
            f"micro_batch_s: {micro} is no multiple of crop_s {crop} that divides batch.group_s {group} or holds whole "
            f"groups and divides batch.global_s {total}"
        )
    if values["schedule"].get("warmup_updates", 0) > values["updates"]:
        problems.append(f"schedule.warmup_updates: {values['schedule']['warmup_updates']} is more than updates")
    if (rising := values["schedule"].get("warmup_fraction", 0) + values["schedule"].get("hold_fraction", 0)) > 1:
        problems.append(f"schedule.warmup_fraction, hold_fraction: {rising:g} together is more than 1")
    if size["hidden_size"] % size["num_heads"]:
        problems.append(
            f"architecture.num_heads: {size['num_heads']} does not divide hidden_size {size['hidden_size']}"
        )
    if size["hidden_size"] % size["pos_conv_groups"]:
        problems.append(f"architecture.pos_conv_groups: {size['pos_conv_groups']} does not divide hidden_size")
    problems += spectrum_problems(values, entries["features"])
    if values.get("average_top_k", 1) > size["num_layers"]:
        problems.append(f"average_top_k: {values['average_top_k']}, but there are {size['num_layers']} layers")
    return problems


def spectrum_problems(values: dict[str, Any], features: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return what does not fit between a model and the constant-Q spectrum that it predicts."""
    name = values.get("cqt_features", "")
    if bool(name) != bool(values.get("cqt_weight", 0.0)):
        return [f"cqt_features: found {name!r} with cqt_weight {values['cqt_weight']}, expected both or neither"]
    if name and (features[name]["kind"], features[name]["frame_rate_hz"]) != ("cqt", 50):
        found = f"of kind {features[name]['kind']} at {features[name]['frame_rate_hz']} Hz"
        return [f"cqt_features: {name} is {found}, expected an entry of kind cqt at 50 Hz"]
    return []


def selection_problems(names: Mapping[str, set[str]], config: Mapping[str, Any]) -> list[str]:
    """Return unknown names in ``run``, the selection of what is built by default."""
    run = config.get("run") or {}
    problems = [f"run.{key}: unknown key{nearest(key, SELECTIONS)}" for key in run if key not in SELECTIONS]
    for key, (noun, default) in SELECTIONS.items():
        found = run.get(key, default)
        if found == "all":
            continue
        if not isinstance(found, list):
            problems.append(f"run.{key}: found {found!r}, expected `all` or a list of names")
            continue
        for word in found:
            if word not in names[noun]:
                problems.append(f"run.{key}: no {noun} entry {word!r}{nearest(word, names[noun])}")
    return problems
