"""The only door from rules to Python: the catalogue of the configuration, wildcards and input functions."""

import re
import sys
from dataclasses import asdict
from pathlib import Path
from shlex import quote

sys.path.append(str(Path(workflow.basedir) / "workflow" / "scripts"))

from musicssl.config.catalogue import Catalogue
from musicssl.config.check import label_sets
from musicssl.config.inherit import ConfigError, nearest
from musicssl.costs.plan import corpus_hours, plan

try:
    catalogue = Catalogue(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None


def one_of(names):
    "Return a wildcard pattern of exactly these names; without names, one that matches nothing."
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    artefact="(audio|features|labels|models)/[^.]+",
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


def recipe(noun, *keys):
    "Return a params function: the recipe of an entry named by wildcards."
    return lambda wildcards: catalogue.recipe(noun, *(wildcards[key] for key in keys))


def place(noun, key):
    "Return a params function: where an entry's data lie. Asking for `input` keeps it out of Snakemake's comparison."
    return lambda wildcards, input: catalogue.place(noun, wildcards[key])


def recipe_beside(wildcards):
    "Return the recipe that belongs into an artefact's folder."
    noun, *names = wildcards.artefact.split("/")
    return catalogue.recipe({"audio": "corpora"}.get(noun, noun), *names)


def synthetic(part):
    "Return the file that says one part of the miniature's data is complete."
    return f"{catalogue.miniature.get('root', '<results>/data')}/{part}/written.json"


def written(root):
    "Return that file for a root inside the miniature; else nothing."
    base = catalogue.miniature.get("root")
    return [synthetic(Path(root).name)] if base and Path(root).parent == Path(base) else []


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


def shards(folder):
    "Return an input function: one file per shard of the wildcard corpus, in order."
    return lambda wildcards: [f"{folder}/{shard}.npy" for shard in catalogue.shards(wildcards.corpus)]


def feature_encoder(wildcards):
    "Return the encoder that layer features come from; nothing for other features."
    model = catalogue.entry("features", wildcards.features).get("model")
    return encoder_files(model) if model else []


def label_encoder(wildcards):
    "Return the encoder whose layer these labels cluster; nothing for other labels."
    model = catalogue.entry("features", catalogue.entry("labels", wildcards.labels)["features"]).get("model")
    return encoder_files(model) if model else []


def encoder_files(model):
    return [f"<results>/models/{model}/encoder/{name}" for name in ("config.json", "model.safetensors")]


def model_encoder(wildcards):
    "Return the encoder folder's files; the MFCC and constant floors have none."
    return encoder_files(wildcards.model) if wildcards.model in catalogue.encoders else []


def pretrain_audio(wildcards):
    "Return the corpus shards a model trains on; an untrained twin needs none."
    entry = catalogue.entry("models", wildcards.model)
    if not entry["updates"]:
        return []
    return [f"<results>/audio/{entry['corpus']}/shards/{shard}.npy" for shard in catalogue.shards(entry["corpus"])]


def pretrain_labels(wildcards):
    "Return the label shards a HuBERT trains on."
    entry = catalogue.entry("models", wildcards.model)
    if not entry["updates"]:
        return []
    folders = [f"<results>/labels/{labels}/{entry['corpus']}" for labels in label_sets(entry)]
    return [f"{folder}/{shard}.npy" for folder in folders for shard in catalogue.shards(entry["corpus"])]


def pretrain_data(wildcards, input, resources):
    "Return a model's shards, how often it logs and saves, what it keeps, and a node's GPUs, as options of pretrain.py."
    shards = {"--audio": input.get("audio"), "--labels": input.get("labels")}
    options = {
        option: dict.fromkeys(str(Path(file).parent) for file in files or []) for option, files in shards.items()
    }
    options |= {f"--{key.replace('_', '-')}": [str(n)] for key, n in catalogue.place("models", wildcards.model).items()}
    options["--gpus"] = [str(resources.gpu // resources.nodes)]
    options["--snapshots"] = [str(n) for n in catalogue.kept_updates(wildcards.model)]
    return " ".join(" ".join([option, *map(quote, values)]) for option, values in options.items() if values)


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
    return lambda wildcards: [
        f"<results>/{file}" for file in catalogue.states_files(wildcards.model, wildcards.task, suffix)
    ]


def training_run(file):
    "Return an input function: a file of the run that made a model, which is its own or the one it is a snapshot of."
    return lambda wildcards: f"<results>/models/{catalogue.run_of(wildcards.model)}/{file}"


def licence(wildcards, input):
    "Return the licence of the audio that a model was trained on; as with `place`, another one repeats no export."
    corpus = catalogue.entry("models", catalogue.run_of(wildcards.model))["corpus"]
    return catalogue.place("corpora", corpus)["licence"]


# torchrun passes on what it is told to; by itself SIGUSR1, Slurm's warning, would end it and lose the update.
TORCHRUN = "torchrun --signals-to-handle SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1 --shutdown-timeout 240"


def pretrain_launch(wildcards, input, threads, resources):
    """Return how one training is started: a process a GPU, the threads of a node shared among its processes.

    With `mpi` in the resources it is a step of its own in an allocation of Slurm's, one torchrun a node, which meet on
    the first: Slurm warns steps, and Snakemake, which knows no warning, must not be in the one that is warned.
    """
    nodes, processes = resources.nodes, max(1, resources.gpu // resources.nodes)
    share = f"OMP_NUM_THREADS={max(1, threads // processes)}"
    if not resources.get("mpi"):
        return f"{share} {TORCHRUN} --standalone --nproc-per-node {processes}"
    meeting = (
        "--rdzv-backend c10d --rdzv-id $SLURM_JOB_ID --rdzv-endpoint $(hostname):$((20000 + SLURM_JOB_ID % 20000))"
    )
    step = f"{resources.mpi} --nodes {nodes} --ntasks {nodes} --ntasks-per-node 1 --cpus-per-task {threads}"
    return f"{share} {step} {TORCHRUN} --nnodes {nodes} --nproc-per-node {processes} {meeting}"


def probe_files(models, tasks):
    return [f"<results>/probes/{model}/{task}/metrics.json" for model in models for task in tasks]


def expected_digests(models, tasks):
    return {f"{m}/{t}": catalogue.recipe("probes", m, t)["digest"] for m in models for t in tasks}


def branch_tasks():
    "Return the tasks every branch is probed on."
    return catalogue.selected("tasks")


def branch_floors(wildcards):
    return probe_files(catalogue.floors_of(wildcards.model).values(), branch_tasks())


def study_metrics(wildcards):
    return probe_files(catalogue.rows(wildcards.study), catalogue.columns(wildcards.study))


def reported_models():
    "Return every model in a selected study, each once."
    return list(dict.fromkeys(m for study in catalogue.selected("studies") for m in catalogue.rows(study)))


def reported_probes():
    pairs = [
        (model, task)
        for study in catalogue.selected("studies")
        for model in catalogue.rows(study)
        for task in catalogue.columns(study)
    ]
    return [f"<results>/probes/{model}/{task}/metrics.json" for model, task in dict.fromkeys(pairs)]


def upstream(models):
    "Return the models that must be trained for these: themselves and what their labels come from."
    found = []
    waiting = list(models)
    while waiting:
        model = catalogue.run_of(waiting.pop(0))
        if model not in found:
            found.append(model)
            features = [
                catalogue.entry("labels", name)["features"] for name in label_sets(catalogue.entry("models", model))
            ]
            waiting += [m for m in (catalogue.entry("features", name).get("model") for name in features) if m]
    return [model for model in found if model in catalogue.trained]


def reported_labels():
    "Return (labels, corpus) of every trained model in the report, and of the label sets asked for by name."
    entries = [catalogue.entry("models", model) for model in upstream(reported_models())]
    trained = [(labels, e["corpus"]) for e in entries for labels in label_sets(e)]
    asked = [(labels, corpus) for labels in catalogue.selected("labels") for corpus in reported_corpora()]
    return list(dict.fromkeys(trained + asked))


def label_files(name, pairs):
    "Return one file of every (labels, corpus)."
    return [f"<results>/labels/{labels}/{corpus}/{name}" for labels, corpus in pairs]


def scored_labels():
    "Return the (labels, corpus) whose corpus has annotations."
    return [pair for pair in reported_labels() if catalogue.entry("corpora", pair[1])["annotations"]]


def reported_corpora():
    return list(dict.fromkeys(catalogue.entry("models", m)["corpus"] for m in upstream(reported_models())))


def planned_costs():
    "Return what the cost model expects of every stage in the report; nothing where a corpus' hours are unknown."
    try:
        hours = corpus_hours(catalogue, Path(config["pathvars"]["results"]), None)
    except ConfigError:
        return []
    stages = {(s.rule, s.name): s for study in catalogue.selected("studies") for s in plan(catalogue, study, hours)}
    return [asdict(stage) for stage in stages.values()]


def reported_tasks():
    return list(dict.fromkeys(t for study in catalogue.selected("studies") for t in catalogue.columns(study)))
