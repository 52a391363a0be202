"""From a folder of music to int16 shards: results/audio/{corpus}/. Training waits for them (`priority`)."""


rule scan_corpus:
    "List a corpus, hold out validation files, set unusable files aside."
    input:
        written=corpus_source,
    output:
        files=ensure("<results>/audio/{corpus}/listing/files.csv", non_empty=True),
        quarantine="<results>/audio/{corpus}/listing/quarantine.csv",
        recipe="<results>/audio/{corpus}/listing/recipe.json",
    log:
        "<logs>/scan_corpus/{corpus}.log",
    benchmark:
        "<benchmarks>/scan_corpus/{corpus}.jsonl"
    priority: 10
    conda:
        "../envs/audio.yaml"
    threads: 8
    params:
        recipe=recipe("corpora", "corpus"),
        place=lambda wildcards: catalogue.roots_of(wildcards.corpus),
    script:
        "../workflow/scripts/scan_corpus.py"


rule crop_audio:
    "Decode the files of one shard, resample, cut into clips, store as int16."
    input:
        files="<results>/audio/{corpus}/listing/files.csv",
    output:
        audio=ensure("<results>/audio/{corpus}/shards/{shard}.npy", non_empty=True),
        index=ensure("<results>/audio/{corpus}/shards/{shard}.json", non_empty=True),
        recipe="<results>/audio/{corpus}/shards/{shard}.recipe.json",
    log:
        "<logs>/crop_audio/{corpus}/{shard}.log",
    benchmark:
        "<benchmarks>/crop_audio/{corpus}/{shard}.jsonl"
    priority: 10
    conda:
        "../envs/audio.yaml"
    params:
        recipe=recipe("corpora", "corpus"),
        place=place("corpora", "corpus"),
    script:
        "../workflow/scripts/crop_audio.py"


rule index_corpus:
    "Sum up all shards and everything set aside; stop if too little is usable."
    input:
        files="<results>/audio/{corpus}/listing/files.csv",
        quarantine="<results>/audio/{corpus}/listing/quarantine.csv",
        shards=need("audio", "corpus"),
    output:
        manifest=report(
            "<results>/audio/{corpus}/manifest.json",
            caption="../workflow/report/manifest.rst",
            category="Corpus",
            labels={"corpus": "{corpus}"},
        ),
        quarantine=report(
            "<results>/audio/{corpus}/quarantine.csv",
            caption="../workflow/report/quarantine.rst",
            category="Corpus",
            labels={"corpus": "{corpus}"},
        ),
        recipe="<results>/audio/{corpus}/recipe.json",
    log:
        "<logs>/index_corpus/{corpus}.log",
    conda:
        "../envs/audio.yaml"
    params:
        recipe=recipe("corpora", "corpus"),
        place=place("corpora", "corpus"),
    script:
        "../workflow/scripts/index_corpus.py"
