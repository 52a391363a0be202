"""Encoders: results/models/{model}/. One entry of the models table is one branch."""


rule write_recipe:
    "Write the resolved recipe of an artefact beside it."
    output:
        recipe="<results>/{artefact}/recipe.json",
    log:
        "<logs>/write_recipe/{artefact}.log",
    priority: 10
    localrule: True
    conda:
        "../envs/controller.yaml"
    params:
        recipe=recipe_beside,
    script:
        "../workflow/scripts/write_recipe.py"


rule pretrain:
    "Train one encoder; killed, it goes on from its last checkpoint."
    input:
        script=ancient("workflow/scripts/pretrain.py"),
        recipe="<results>/models/{model}/recipe.json",
        audio=pretrain_audio,
        labels=pretrain_labels,
    output:
        checkpoint=ensure("<results>/models/{model}/checkpoint.pt", non_empty=True),
        metrics=report(
            "<results>/models/{model}/metrics.jsonl",
            caption="../workflow/report/metrics.rst",
            category="Pre-training",
            labels={"model": "{model}"},
        ),
        speed="<results>/models/{model}/speed.jsonl",
    log:
        "<logs>/pretrain/{model}.log",
    benchmark:
        "<benchmarks>/pretrain/{model}.jsonl"
    wildcard_constraints:
        model=one_of(name for name in catalogue.encoders if name in catalogue.trained + catalogue.floors),
    priority: 10
    conda:
        "../envs/train.yaml"
    threads: 16
    resources:
        gpu=0,
        nodes=1,
    params:
        data=pretrain_data,
        launch=pretrain_launch,
    shell:
        "{params.launch} {input.script:q} --recipe {input.recipe:q} {params.data}"
        " --out $(dirname {output.checkpoint:q}) --log-file {log:q}"


rule export_model:
    "Export a trained encoder as a Hugging Face folder."
    input:
        recipe="<results>/models/{model}/recipe.json",
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
    log:
        "<logs>/export_model/{model}.log",
    wildcard_constraints:
        model=one_of(
            name for name in catalogue.encoders if name in catalogue.trained + catalogue.snapshots + catalogue.floors
        ),
    priority: 10
    conda:
        "../envs/train.yaml"
    params:
        recipe=recipe("models", "model"),
        licence=licence,
    script:
        "../workflow/scripts/export_model.py"


rule import_model:
    "Bring weights somebody else trained into the same folder layout."
    output:
        config="<results>/models/{model}/encoder/config.json",
        weights=ensure("<results>/models/{model}/encoder/model.safetensors", non_empty=True),
        preprocessor="<results>/models/{model}/encoder/preprocessor_config.json",
        card="<results>/models/{model}/encoder/README.md",
    log:
        "<logs>/import_model/{model}.log",
    wildcard_constraints:
        model=one_of(
            name
            for name in catalogue.encoders
            if name not in catalogue.trained + catalogue.snapshots + catalogue.floors
        ),
    conda:
        "../envs/train.yaml"
    params:
        recipe=recipe("models", "model"),
    script:
        "../workflow/scripts/import_model.py"
