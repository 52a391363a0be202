"""MusicHuBERT and Music2Vec: pre-training, ablations and probing as one DAG (README.md tells how to run it)."""

from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"
configfile: "config/corpora.yaml"
configfile: "config/features.yaml"
configfile: "config/labels.yaml"
configfile: "config/models.yaml"
configfile: "config/datasets.yaml"
configfile: "config/views.yaml"
configfile: "config/tasks.yaml"
configfile: "config/studies.yaml"


include: "rules/common.smk"
include: "rules/miniature.smk"
include: "rules/audio.smk"
include: "rules/labels.smk"
include: "rules/pretrain.smk"
include: "rules/probe.smk"
include: "rules/report.smk"
include: "rules/targets.smk"


rule all:
    "Everything that `run` in the configuration selects, up to the report page."
    default_target: True
    input:
        "<results>/report/index.html",
