"""The paper's models at their real size: all of them are built, one of each paradigm takes five updates."""

import pytest
import torch
import training_kit as kit

from musicssl.artefacts import read_jsonl
from musicssl.config.catalogue import Catalogue
from musicssl.config.load import load
from musicssl.config.recipes import build_kind
from musicssl.costs.flops import num_parameters

TRAINED = Catalogue(load()[0]).trained


def test_the_papers_tables_name_twelve_of_them(paper):
    tables = [study["models"] for study in paper["studies"].values() if study["paper_table"]]
    assert len(set(TRAINED) & {name for table in tables for name in table}) == 12


@pytest.mark.parametrize("name", TRAINED)
def test_every_branch_is_built_at_paper_scale(paper, name):
    """Shapes without values: 94.4 M (HuBERT) and 93.2 M (data2vec) parameters of the encoder."""
    recipe = build_kind(Catalogue(paper).entry("models", name))
    with torch.device("meta"):
        spectrum = build_kind(Catalogue(paper).entry("features", "cqt"))
        objective = kit.BUILD(recipe, 2000 if recipe.kind == "hubert" else None, spectrum)
    total = sum(parameter.numel() for parameter in objective.encoder.parameters())
    assert total == {"hubert": 94_371_712, "data2vec": 93_164_288}[recipe.kind]
    assert total == pytest.approx(num_parameters(recipe.architecture), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hubert-k2000-mfcc39", "music2vec-vanilla"])
def test_five_updates_of_the_real_size(paper, tmp_path, name):
    """Two clips of 2 s an update; all else is the paper's, so the first update of HuBERT's warm-up moves nothing."""
    entry = Catalogue(paper).entry("models", name) | {
        "crop_s": 2.0, "updates": 5, "batch": {"global_s": 4.0, "group_s": 4.0}, "log_every": 1,
    }  # fmt: skip
    if entry["kind"] == "hubert":
        entry["schedule"] = entry["schedule"] | {"warmup_updates": 2}
    audio, labels, _ = kit.write_corpus(tmp_path, [[40000] * 8])
    arguments = (kit.recipe(entry), audio, [labels] if entry["kind"] == "hubert" else [], tmp_path / "model")
    assert kit.run_ranks(1, *arguments, build=kit.BUILD) == [0]
    rows = [row for row in read_jsonl(tmp_path / "model" / "metrics.jsonl") if row["split"] == "train"]
    assert [row["update"] for row in rows] == [1, 2, 3, 4, 5]
    assert all(row["grad_norm"] > 0 for row in rows)
    if entry["kind"] == "hubert":
        assert rows[0]["bits"] == pytest.approx(2.807, abs=0.3)  # log2 of the 7 clusters: nothing is known yet
        assert rows[-1]["bits"] != rows[0]["bits"]
    else:
        assert all(row["target_std"] > 0.1 and row["prediction_std"] > 0.01 for row in rows)
    saved = torch.load(tmp_path / "model" / "checkpoint.pt", weights_only=True)
    assert saved["update"] == 5
    assert all(torch.isfinite(value).all() for value in saved["objective"].values())
