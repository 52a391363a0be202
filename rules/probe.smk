"""Frozen encoders on MIR tasks: recordings, items, hidden states, probes.

Hidden states are stored by dataset and view, in blocks, for all tasks that share them. Those of single frames, which
beats need, are large and go as soon as the probes that wait for them are done (`temp`); `--notemp` keeps them.
"""


rule list_recordings:
    "List the audio files of a dataset that some task may use."
    input:
        written=dataset_source,
    output:
        recordings=ensure("<results>/datasets/{dataset}/recordings.csv", non_empty=True),
        recipe="<results>/datasets/{dataset}/recipe.json",
    log:
        "<logs>/list_recordings/{dataset}.log",
    benchmark:
        "<benchmarks>/list_recordings/{dataset}.jsonl"
    conda:
        "../envs/probe.yaml"
    params:
        recipe=recipe("datasets", "dataset"),
        place=dataset_root,
    script:
        "../workflow/scripts/list_recordings.py"


rule prepare_task:
    "Read a dataset's own files into items with splits and targets."
    input:
        written=task_source,
        recordings=task_recordings,
    output:
        table=ensure("<results>/tasks/{task}/items.csv", non_empty=True),
        task="<results>/tasks/{task}/task.json",
        skipped=report(
            "<results>/tasks/{task}/skipped.csv",
            caption="../workflow/report/skipped.rst",
            category="Tasks",
            labels={"task": "{task}"},
        ),
        recipe="<results>/tasks/{task}/recipe.json",
    log:
        "<logs>/prepare_task/{task}.log",
    benchmark:
        "<benchmarks>/prepare_task/{task}.jsonl"
    conda:
        "../envs/probe.yaml"
    params:
        recipe=recipe("tasks", "task"),
        place=task_root,
    script:
        "../workflow/scripts/prepare_task.py"


rule embed_pooled:
    "Encode a block of a dataset's recordings and keep the states' means over recordings or windows."
    input:
        recordings="<results>/datasets/{dataset}/recordings.csv",
        encoder=need("encoder", "model"),
    output:
        states=ensure("<results>/states/{model}/{dataset}/{view}/{block}.npy", non_empty=True),
        index=ensure("<results>/states/{model}/{dataset}/{view}/{block}.json", non_empty=True),
        recipe="<results>/states/{model}/{dataset}/{view}/{block}.recipe.json",
    log:
        "<logs>/embed_pooled/{model}/{dataset}/{view}/{block}.log",
    benchmark:
        "<benchmarks>/embed_pooled/{model}/{dataset}/{view}/{block}.jsonl"
    wildcard_constraints:
        view=one_of(catalogue.views("recording", "window")),
    conda:
        "../envs/train.yaml"
    resources:
        gpu=0,
    params:
        recipe=recipe("states", "model", "dataset", "view"),
        block=block_place,
        place=dataset_root,
    script:
        "../workflow/scripts/embed.py"


rule embed_frames:
    "Encode a block of a dataset's recordings and keep the states of every frame, until they were used."
    input:
        recordings="<results>/datasets/{dataset}/recordings.csv",
        encoder=need("encoder", "model"),
    output:
        states=temp("<results>/states/{model}/{dataset}/{view}/{block}.npy"),
        index=temp("<results>/states/{model}/{dataset}/{view}/{block}.json"),
        recipe=temp("<results>/states/{model}/{dataset}/{view}/{block}.recipe.json"),
    log:
        "<logs>/embed_frames/{model}/{dataset}/{view}/{block}.log",
    benchmark:
        "<benchmarks>/embed_frames/{model}/{dataset}/{view}/{block}.jsonl"
    wildcard_constraints:
        view=one_of(catalogue.views("frame")),
    conda:
        "../envs/train.yaml"
    resources:
        gpu=0,
    params:
        recipe=recipe("states", "model", "dataset", "view"),
        block=block_place,
        place=dataset_root,
    script:
        "../workflow/scripts/embed.py"


rule probe:
    "Train the probing head of every seed on frozen states and keep its answers on the test split."
    input:
        table="<results>/tasks/{task}/items.csv",
        task="<results>/tasks/{task}/task.json",
        states=task_states(".npy"),
        index=task_states(".json"),
    output:
        predictions="<results>/probes/{model}/{task}/predictions.npz",
        fit="<results>/probes/{model}/{task}/fit.json",
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


rule score_probe:
    "Score the kept answers of a probe: metrics, intervals, and the trivial answer beside them."
    input:
        predictions="<results>/probes/{model}/{task}/predictions.npz",
        fit="<results>/probes/{model}/{task}/fit.json",
    output:
        metrics=report(
            "<results>/probes/{model}/{task}/metrics.json",
            caption="../workflow/report/probe.rst",
            category="Probes",
            subcategory="{task}",
            labels={"model": "{model}", "task": "{task}"},
        ),
        recipe="<results>/probes/{model}/{task}/metrics.recipe.json",
    log:
        "<logs>/score_probe/{model}/{task}.log",
    benchmark:
        "<benchmarks>/score_probe/{model}/{task}.jsonl"
    priority: 5
    conda:
        "../envs/probe.yaml"
    params:
        recipe=recipe("scores", "model", "task"),
    script:
        "../workflow/scripts/score_probe.py"
