"""The only door from rules to Python: paths, wildcards and input functions that ask the catalogue."""

import re
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.append(str(Path(workflow.basedir) / "workflow" / "scripts"))

from musicssl.artefacts.lock import take
from musicssl.config.catalogue import Catalogue
from musicssl.config.inherit import ConfigError
from musicssl.config.needs import Needs
from musicssl.costs.plan import of_report
from musicssl.runtime import UserError

try:
    catalogue = Catalogue(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None
needs = Needs(catalogue)


def one_of(names):
    "Return a wildcard pattern of exactly these names; without names, one that matches nothing."
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    corpus=one_of(catalogue.names("corpora")),
    dataset="[a-z0-9-]+",
    features=one_of(catalogue.names("features")),
    labels=one_of(catalogue.names("labels")),
    model=one_of(catalogue.names("models")),
    task=one_of(catalogue.names("tasks")),
    study=one_of(catalogue.names("studies")),
    shard="[0-9]{3}",
    block="[0-9]{3}",
    view=one_of(catalogue.names("views")),


def below(paths):
    "Return paths below the results folder."
    return [f"<results>/{path}" for path in paths]


def need(what, *keys):
    "Return an input function: what the catalogue says that a job of these wildcards needs."
    return lambda wildcards: below(getattr(needs, what)(*(wildcards[key] for key in keys)))


def recipe(noun, *keys):
    "Return a params function: the recipe of an entry named by wildcards."
    return lambda wildcards: catalogue.recipe(noun, *(wildcards[key] for key in keys))


def place(noun, key):
    "Return a params function: where an entry's data lie. Asking for `input` keeps it out of Snakemake's comparison."
    return lambda wildcards, input: catalogue.place(noun, wildcards[key])


def synthetic(part):
    "Return the file that says one part of the miniature's data is complete."
    return f"{catalogue.miniature.get('root', '<results>/data')}/{part}/written.json"


def written(root):
    "Return that file for a root inside the miniature; else nothing."
    part = catalogue.synthetic_part(root)
    return [synthetic(part)] if part else []


def corpus_source(wildcards):
    return written(catalogue.entry("corpora", wildcards.corpus)["root"])


def annotations(wildcards):
    "Return the table of a corpus' annotations, or what writes it along with the miniature's audio."
    entry = catalogue.entry("corpora", wildcards.corpus)
    return written(entry["root"]) or entry["annotations"]


def dataset_source(wildcards):
    return written(catalogue.entry("datasets", wildcards.dataset)["root"])


def task_source(wildcards):
    return written(catalogue.entry("datasets", catalogue.entry("tasks", wildcards.task)["dataset"])["root"])


def dataset_root(wildcards, input):
    return catalogue.root_of(wildcards.dataset)


def task_root(wildcards, input):
    return catalogue.root_of(catalogue.entry("tasks", wildcards.task)["dataset"])


def task_recordings(wildcards):
    return f"<results>/datasets/{catalogue.entry('tasks', wildcards.task)['dataset']}/recordings.csv"


def block_place(wildcards):
    "Return the number of a block and how many its dataset has."
    return [int(wildcards.block), len(catalogue.blocks(wildcards.dataset))]


def task_states(suffix):
    "Return an input function: the files of a model's states that a task needs."
    return lambda wildcards: below(catalogue.states_files(wildcards.model, wildcards.task, suffix))


def kept_updates(wildcards, input):
    "Return the updates whose encoders a training keeps; as with `place`, other ones repeat no training."
    return catalogue.kept_updates(wildcards.model)


def released_weights(wildcards):
    "Return the files of weights that lie on this machine; none for a name on the hub."
    return needs.weights(wildcards.model)


def training_run(file):
    "Return an input function: a file of the run that made a model, which is its own or the one it is a snapshot of."
    return lambda wildcards: f"<results>/{needs.run(wildcards.model, file)}"


def licence(wildcards, input):
    "Return the licence of the audio that a model was trained on; as with `place`, another one repeats no export."
    corpus = catalogue.entry("models", catalogue.run_of(wildcards.model))["corpus"]
    return catalogue.place("corpora", corpus)["licence"]


onstart:
    try:
        take(config["pathvars"]["results"])
    except UserError as error:
        raise WorkflowError(str(error)) from None
