"""Tables and the report page."""


rule tabulate_branch:
    "Tabulate one branch on all its tasks, floors beside every score."
    input:
        metrics=need("branch", "model"),
        floors=need("floors", "model"),
    output:
        summary=report(
            "<results>/branches/{model}/summary.csv",
            caption="../workflow/report/branch.rst",
            category="Branches",
            labels={"model": "{model}"},
        ),
        recipe="<results>/branches/{model}/recipe.json",
    log:
        "<logs>/tabulate_branch/{model}.log",
    conda:
        "../envs/report.yaml"
    params:
        recipe=recipe("branches", "model"),
        floors=lambda wildcards: catalogue.floors_of(wildcards.model),
    script:
        "../workflow/scripts/tabulate_branch.py"


rule tabulate_study:
    "Tabulate one study: models by tasks, floors, the paper's numbers beside ours."
    input:
        metrics=need("study", "study"),
    output:
        table=report(
            "<results>/studies/{study}/table.csv",
            caption="../workflow/report/study.rst",
            category="Studies",
            labels={"study": "{study}"},
        ),
        recipe="<results>/studies/{study}/recipe.json",
    log:
        "<logs>/tabulate_study/{study}.log",
    conda:
        "../envs/report.yaml"
    params:
        recipe=recipe("studies", "study"),
        selected=lambda wildcards: {
            "models": catalogue.rows(wildcards.study),
            "tasks": catalogue.columns(wildcards.study),
        },
        floors=lambda wildcards: catalogue.floors,
        baselines=lambda wildcards: catalogue.baselines(wildcards.study),
    script:
        "../workflow/scripts/tabulate_study.py"


rule draw_rulegraph:
    "Ask Snakemake for the graph of rules behind the report; one hash seed, one order of lines."
    input:
        snakefile=workflow.main_snakefile,
        settings="<results>/report/config.json",
    output:
        graph="<results>/report/rulegraph.mmd",
    log:
        "<logs>/draw_rulegraph.log",
    localrule: True
    conda:
        "../envs/controller.yaml"
    shell:
        "PYTHONHASHSEED=0 python -m snakemake --snakefile {input.snakefile:q} --replace-workflow-config"
        " --configfile {input.settings:q} --nolock --quiet all --forceall --rulegraph mermaid-js"
        " > {output.graph:q}.part 2> {log:q} && mv {output.graph:q}.part {output.graph:q}"


rule write_config:
    "Write the merged configuration this report was made with."
    output:
        settings="<results>/report/config.json",
    log:
        "<logs>/write_config.log",
    localrule: True
    conda:
        "../envs/controller.yaml"
    params:
        settings=lambda wildcards: config,
    script:
        "../workflow/scripts/write_config.py"


rule render_report:
    "Render the self-contained report page."
    input:
        studies=collect("<results>/studies/{study}/table.csv", study=catalogue.selected("studies")),
        metrics=below(needs.reported_scores),
        curves=below(f"models/{model}/metrics.jsonl" for model in needs.reported_runs),
        kmeans=below(needs.label_files("kmeans.json", needs.reported_labels)),
        quality=below(needs.label_files("quality.json", needs.judged_labels)),
        manifests=collect("<results>/audio/{corpus}/manifest.json", corpus=needs.reported_corpora),
        quarantines=collect("<results>/audio/{corpus}/quarantine.csv", corpus=needs.reported_corpora),
        tasks=collect("<results>/tasks/{task}/task.json", task=needs.reported_tasks),
        skipped=collect("<results>/tasks/{task}/skipped.csv", task=needs.reported_tasks),
        recipes=below(needs.reported_headers),
        rulegraph="<results>/report/rulegraph.mmd",
    output:
        page=report(
            "<results>/report/index.html",
            caption="../workflow/report/page.rst",
            category="Report",
        ),
    log:
        "<logs>/render_report.log",
    conda:
        "../envs/report.yaml"
    params:
        studies=lambda wildcards: {study: catalogue.entry("studies", study) for study in catalogue.selected("studies")},
        # A folder, no input: benchmark records are not outputs to Snakemake, and a new one should render no page.
        benchmarks=lambda wildcards: config["pathvars"]["benchmarks"],
        planned=lambda wildcards, input: of_report(catalogue, config["pathvars"]["results"]),
        docstrings=lambda wildcards: {rule.name: rule.docstring or "" for rule in workflow.rules},
    script:
        "../workflow/scripts/render_report.py"
