"""Frozen encoders on MIR tasks: items, states, probes.

States are stored by dataset, for the selected tasks that read it. Those of single frames, which beats need, are large
and go as soon as the beat probe is done (`temp`); `--notemp` keeps them.
"""


rule prepare_task:
    "Read a dataset's own files into items with splits and targets."
    input:
        written=task_source,
    output:
        table=ensure("<results>/tasks/{task}/items.csv", non_empty=True),
        task="<results>/tasks/{task}/task.json",
        skipped=report(
            "<results>/tasks/{task}/skipped.csv",
            caption="../workflow/report/skipped.rst",
            category="Tasks",
            labels={"task": "{task}"},
        ),
    log:
        "<logs>/prepare_task/{task}.log",
    benchmark:
        "<benchmarks>/prepare_task/{task}.jsonl"
    conda:
        "../envs/probe.yaml"
    params:
        recipe=recipe("items", "task"),
        place=lambda wildcards: catalogue.root_of(wildcards.task),
    script:
        "../workflow/scripts/prepare_task.py"


rule embed_task:
    "Run a frozen encoder once over the items of all tasks that read one dataset and keep its states."
    input:
        tables=dataset_tables,
        encoder=model_encoder,
    output:
        pooled=ensure("<results>/embeddings/{model}/{dataset}/pooled.npy", non_empty=True),
        pooled_index=ensure("<results>/embeddings/{model}/{dataset}/pooled.json", non_empty=True),
        frames=temp("<results>/embeddings/{model}/{dataset}/frames.npy"),
        frames_index=temp("<results>/embeddings/{model}/{dataset}/frames.json"),
        recipe="<results>/embeddings/{model}/{dataset}/recipe.json",
    log:
        "<logs>/embed_task/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/embed_task/{model}/{dataset}.jsonl"
    conda:
        "../envs/train.yaml"
    resources:
        gpu=0,
    params:
        recipe=recipe("embeddings", "model", "dataset"),
        place=lambda wildcards, input: catalogue.root_of(catalogue.sharing(wildcards.dataset)[0]),
    script:
        "../workflow/scripts/embed_task.py"


rule probe:
    "Train the probing head of every seed on frozen states and score it on the test split."
    input:
        table="<results>/tasks/{task}/items.csv",
        task="<results>/tasks/{task}/task.json",
        states=task_states("npy"),
        index=task_states("json"),
    output:
        metrics=report(
            "<results>/probes/{model}/{task}/metrics.json",
            caption="../workflow/report/probe.rst",
            category="Probes",
            subcategory="{task}",
            labels={"model": "{model}", "task": "{task}"},
        ),
        predictions="<results>/probes/{model}/{task}/predictions.npz",
        recipe="<results>/probes/{model}/{task}/recipe.json",
    log:
        "<logs>/probe/{model}/{task}.log",
    benchmark:
        "<benchmarks>/probe/{model}/{task}.jsonl"
    priority: 5
    conda:
        "../envs/probe.yaml"
    params:
        recipe=recipe("probes", "model", "task"),
    script:
        "../workflow/scripts/probe.py"
