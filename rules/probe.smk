"""Frozen encoders on MIR tasks: items, embeddings, probes."""


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
        recipe=recipe("tasks", "task"),
        place=lambda wildcards: catalogue.place("tasks", wildcards.task),
    script:
        "../workflow/scripts/prepare_task.py"


rule embed_task:
    "Run a frozen encoder over the items of a task and keep all its states."
    input:
        table="<results>/tasks/{task}/items.csv",
        task="<results>/tasks/{task}/task.json",
        encoder=model_encoder,
    output:
        embeddings=ensure("<results>/embeddings/{model}/{task}/embeddings.npy", non_empty=True),
        index=ensure("<results>/embeddings/{model}/{task}/embeddings.json", non_empty=True),
        recipe="<results>/embeddings/{model}/{task}/recipe.json",
    log:
        "<logs>/embed_task/{model}/{task}.log",
    benchmark:
        "<benchmarks>/embed_task/{model}/{task}.jsonl"
    conda:
        "../envs/train.yaml"
    resources:
        gpu=0,
    params:
        recipe=recipe("embeddings", "model", "task"),
        place=place("tasks", "task"),
    script:
        "../workflow/scripts/embed_task.py"


rule probe:
    "Train the probing head of every seed on frozen states and score it on the test split."
    input:
        table="<results>/tasks/{task}/items.csv",
        task="<results>/tasks/{task}/task.json",
        embeddings="<results>/embeddings/{model}/{task}/embeddings.npy",
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
    conda:
        "../envs/probe.yaml"
    params:
        recipe=recipe("probes", "model", "task"),
    script:
        "../workflow/scripts/probe.py"
