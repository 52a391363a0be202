"""Encoders: results/models/{model}/. One entry of the models table is one branch."""


rule pretrain:
    "Train one encoder; killed, it goes on from its last checkpoint."
    input:
        audio=need("training_audio", "model"),
        labels=need("training_labels", "model"),
    output:
        checkpoint=ensure("<results>/models/{model}/checkpoint.pt", non_empty=True),
        metrics=report(
            "<results>/models/{model}/metrics.jsonl",
            caption="../workflow/report/metrics.rst",
            category="Pre-training",
            labels={"model": "{model}"},
        ),
        recipe="<results>/models/{model}/recipe.json",
    log:
        "<logs>/pretrain/{model}.log",
    benchmark:
        "<benchmarks>/pretrain/{model}.jsonl"
    wildcard_constraints:
        model=one_of(catalogue.trained),
    priority: 10
    conda:
        "../envs/train.yaml"
    threads: 16
    resources:
        gpu=0,
        nodes=1,
    params:
        recipe=recipe("models", "model"),
        place=place("models", "model"),
        snapshots=kept_updates,
    script:
        "../workflow/scripts/pretrain.py"


rule build_untrained:
    "Export the initial weights of a model as an encoder of its own."
    output:
        config="<results>/models/{model}/encoder/config.json",
        weights=ensure("<results>/models/{model}/encoder/model.safetensors", non_empty=True),
        preprocessor="<results>/models/{model}/encoder/preprocessor_config.json",
        card="<results>/models/{model}/encoder/README.md",
        recipe="<results>/models/{model}/encoder/recipe.json",
    log:
        "<logs>/build_untrained/{model}.log",
    wildcard_constraints:
        model=one_of(catalogue.of_kind("untrained")),
    priority: 10
    conda:
        "../envs/train.yaml"
    params:
        recipe=recipe("models", "model"),
    script:
        "../workflow/scripts/build_untrained.py"


rule export_model:
    "Export a trained encoder as a Hugging Face folder."
    input:
        checkpoint=training_run("checkpoint.pt"),
        metrics=training_run("metrics.jsonl"),
    output:
        config="<results>/models/{model}/encoder/config.json",
        weights=ensure("<results>/models/{model}/encoder/model.safetensors", non_empty=True),
        preprocessor="<results>/models/{model}/encoder/preprocessor_config.json",
        card=report(
            "<results>/models/{model}/encoder/README.md",
            caption="../workflow/report/card.rst",
            category="Pre-training",
            labels={"model": "{model}"},
        ),
        recipe="<results>/models/{model}/encoder/recipe.json",
    log:
        "<logs>/export_model/{model}.log",
    wildcard_constraints:
        model=one_of(catalogue.trained + catalogue.snapshots),
    priority: 10
    conda:
        "../envs/train.yaml"
    params:
        recipe=recipe("models", "model"),
        licence=licence,
    script:
        "../workflow/scripts/export_model.py"


rule import_model:
    "Convert weights somebody else trained into the same folder layout."
    input:
        weights=released_weights,
    output:
        config="<results>/models/{model}/encoder/config.json",
        weights=ensure("<results>/models/{model}/encoder/model.safetensors", non_empty=True),
        preprocessor="<results>/models/{model}/encoder/preprocessor_config.json",
        card="<results>/models/{model}/encoder/README.md",
        recipe="<results>/models/{model}/encoder/recipe.json",
    log:
        "<logs>/import_model/{model}.log",
    wildcard_constraints:
        model=one_of(catalogue.of_kind("released")),
    conda:
        "../envs/train.yaml"
    params:
        recipe=recipe("models", "model"),
    script:
        "../workflow/scripts/import_model.py"
