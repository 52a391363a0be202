"""Targets of HuBERT: features, centroids, labels. Iteration 2 is a features entry that names a model.

What training waits for goes before what waits for training (`priority`).
"""


rule extract_features:
    "Compute the vectors of one shard's drawn clips: MFCC, chroma, CQT, or a layer of a trained encoder."
    input:
        audio="<results>/audio/{corpus}/shards/{shard}.npy",
        encoder=need("encoder_of_features", "features"),
    output:
        features=ensure("<results>/features/{features}/{corpus}/{shard}.npy", non_empty=True),
        index=ensure("<results>/features/{features}/{corpus}/{shard}.json", non_empty=True),
        recipe="<results>/features/{features}/{corpus}/{shard}.recipe.json",
    log:
        "<logs>/extract_features/{features}/{corpus}/{shard}.log",
    benchmark:
        "<benchmarks>/extract_features/{features}/{corpus}/{shard}.jsonl"
    priority: 10
    conda:
        "../envs/train.yaml"
    resources:
        gpu=0,
    params:
        recipe=recipe("features", "features", "corpus"),
    script:
        "../workflow/scripts/extract_features.py"


rule fit_kmeans:
    "Fit centroids on a sample of one feature set."
    input:
        manifest="<results>/audio/{corpus}/manifest.json",
        features=need("features", "labels", "corpus"),
    output:
        centroids=ensure("<results>/labels/{labels}/{corpus}/centroids.npy", non_empty=True),
        report=report(
            "<results>/labels/{labels}/{corpus}/kmeans.json",
            caption="../workflow/report/kmeans.rst",
            category="Labels",
            labels={"labels": "{labels}", "corpus": "{corpus}"},
        ),
        recipe="<results>/labels/{labels}/{corpus}/recipe.json",
    log:
        "<logs>/fit_kmeans/{labels}/{corpus}.log",
    benchmark:
        "<benchmarks>/fit_kmeans/{labels}/{corpus}.jsonl"
    priority: 10
    conda:
        "../envs/cluster.yaml"
    threads: 16
    resources:
        tasks=1,  # of one srun: dask scheduler, client and workers where the entry says `cluster: slurm`
    params:
        recipe=recipe("labels", "labels", "corpus"),
        place=place("labels", "labels"),
    script:
        "../workflow/scripts/fit_kmeans.py"


rule assign_labels:
    "Give every frame of one shard its nearest centroid, without storing its features."
    input:
        audio="<results>/audio/{corpus}/shards/{shard}.npy",
        encoder=need("encoder_of_labels", "labels"),
        centroids="<results>/labels/{labels}/{corpus}/centroids.npy",
    output:
        labels=ensure("<results>/labels/{labels}/{corpus}/{shard}.npy", non_empty=True),
        index=ensure("<results>/labels/{labels}/{corpus}/{shard}.json", non_empty=True),
        recipe="<results>/labels/{labels}/{corpus}/{shard}.recipe.json",
    log:
        "<logs>/assign_labels/{labels}/{corpus}/{shard}.log",
    benchmark:
        "<benchmarks>/assign_labels/{labels}/{corpus}/{shard}.jsonl"
    priority: 10
    conda:
        "../envs/train.yaml"
    resources:
        gpu=0,
    params:
        recipe=recipe("labels", "labels", "corpus"),
    script:
        "../workflow/scripts/assign_labels.py"


rule score_labels:
    "Compare labels with a table of what is known about the audio."
    input:
        labels=need("labels", "labels", "corpus"),
        annotations=annotations,
    output:
        quality=report(
            "<results>/labels/{labels}/{corpus}/quality.json",
            caption="../workflow/report/quality.rst",
            category="Labels",
            labels={"labels": "{labels}", "corpus": "{corpus}"},
        ),
        recipe="<results>/labels/{labels}/{corpus}/quality.recipe.json",
    log:
        "<logs>/score_labels/{labels}/{corpus}.log",
    benchmark:
        "<benchmarks>/score_labels/{labels}/{corpus}.jsonl"
    conda:
        "../envs/cluster.yaml"
    params:
        recipe=recipe("labels", "labels", "corpus"),
        place=place("corpora", "corpus"),
    script:
        "../workflow/scripts/score_labels.py"
