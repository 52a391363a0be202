"""Collections to ask for by name, such as `snakemake all_labels`."""


rule all_labels:
    "Labels of every model that the run selects, and of those they come from."
    input:
        [below(needs.labels(*pair)) for pair in needs.reported_labels],


rule all_models:
    "Every encoder that the run selects."
    input:
        collect("<results>/models/{model}/encoder/config.json", model=needs.reported_runs),


rule all_probes:
    "Every probe of the selected studies."
    input:
        below(needs.reported_scores),


rule all_branches:
    "The summary of every selected branch."
    input:
        collect("<results>/branches/{model}/summary.csv", model=catalogue.selected("branches")),
