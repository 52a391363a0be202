"""Collections to ask for by name, such as `snakemake all_labels`."""


rule all_labels:
    "Labels of every model that the run selects, and of those they come from."
    input:
        [
            f"<results>/labels/{labels}/{corpus}/{shard}.npy"
            for labels, corpus in reported_labels()
            for shard in catalogue.shards(corpus)
        ],


rule all_models:
    "Every encoder that the run selects."
    input:
        collect("<results>/models/{model}/encoder/config.json", model=upstream(reported_models())),


rule all_probes:
    "Every probe of the selected studies."
    input:
        reported_probes(),


rule all_branches:
    "The summary of every selected branch."
    input:
        collect("<results>/branches/{model}/summary.csv", model=catalogue.selected("branches")),
