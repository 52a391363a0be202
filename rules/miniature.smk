"""Synthetic music in the datasets' real layouts: what the miniature configuration reads instead of real data."""


rule synthesize_corpus:
    "Synthesize the pre-training corpus of the miniature."
    output:
        written=synthetic("corpus"),
        recipe=subpath(synthetic("corpus"), with_suffix=".recipe.json"),
    log:
        "<logs>/synthesize_corpus.log",
    benchmark:
        "<benchmarks>/synthesize_corpus.jsonl"
    priority: 10
    conda:
        "../envs/audio.yaml"
    params:
        recipe=lambda wildcards: catalogue.recipe("miniature", "corpus"),
    script:
        "../workflow/scripts/synthesize_corpus.py"


rule synthesize_dataset:
    "Synthesize one task's dataset of the miniature, in its real layout."
    output:
        written=synthetic("{dataset}"),
        recipe=subpath(synthetic("{dataset}"), with_suffix=".recipe.json"),
    log:
        "<logs>/synthesize_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/synthesize_dataset/{dataset}.jsonl"
    wildcard_constraints:
        dataset="(?!corpus)[a-z0-9-]+",
    conda:
        "../envs/audio.yaml"
    params:
        recipe=recipe("miniature", "dataset"),
    script:
        "../workflow/scripts/synthesize_dataset.py"
