"""What each job reads, and what a report is made of: chains through labels, layers, snapshots and floors."""

import pytest

from musicssl.config.catalogue import Catalogue
from musicssl.config.needs import Needs


@pytest.fixture
def needs(miniature: dict) -> Needs:
    return Needs(Catalogue(miniature))


def test_shards_come_in_order_and_by_the_number_that_is_configured(miniature: dict) -> None:
    miniature["corpora"]["miniature"]["num_shards"] = 3
    needs = Needs(Catalogue(miniature))
    assert needs.training_audio("music2vec-vanilla") == [f"audio/miniature/shards/{i:03d}.npy" for i in range(3)]
    assert needs.features("mfcc39-k500", "miniature") == [f"features/mfcc39/miniature/{i:03d}.npy" for i in range(3)]


def test_a_hubert_of_several_label_sets_needs_them_one_after_the_other(needs: Needs) -> None:
    found = needs.training_labels("hubert-mfcc39-and-chroma")
    assert found == [f"labels/{name}/miniature/{i:03d}.npy" for name in ("mfcc39-k500", "chroma-k200") for i in (0, 1)]
    assert needs.training_labels("music2vec-vanilla") == []


def test_only_layers_need_an_encoder(needs: Needs) -> None:
    assert needs.encoder_of_labels("mfcc39-k500") == []
    assert needs.encoder_of_labels("hubert-k2000-mfcc39-l6-k2000") == needs.encoder("hubert-k2000-mfcc39")
    assert needs.encoder("mfcc") == []


def test_iteration_two_needs_the_model_of_iteration_one_trained(needs: Needs) -> None:
    assert needs.trained(["hubert-k2000-iter2"]) == ["hubert-k2000-iter2", "hubert-k2000-mfcc39"]
    assert needs.trained(["random-hubert", "mfcc", "constant"]) == []


def test_a_snapshot_is_made_by_the_run_it_is_of(miniature: dict) -> None:
    miniature["models"]["early"] = {"kind": "snapshot", "of": "music2vec-vanilla", "updates": 100}
    needs = Needs(Catalogue(miniature))
    assert needs.run("early", "checkpoint.pt") == "models/music2vec-vanilla/checkpoint.pt"
    assert needs.trained(["early"]) == ["music2vec-vanilla"]


def test_weights_on_this_machine_are_inputs_and_names_on_the_hub_are_not(miniature: dict, tmp_path) -> None:
    for name in ("config.json", "model.safetensors", ".hidden"):
        (tmp_path / name).write_text(name)
    miniature["models"]["hubert-speech"]["source"] = str(tmp_path)
    needs = Needs(Catalogue(miniature))
    assert needs.weights("hubert-speech") == [str(tmp_path / name) for name in ("config.json", "model.safetensors")]
    assert needs.weights("data2vec-speech") == []


def test_the_report_takes_each_thing_once(needs: Needs) -> None:
    assert set(needs.reported_runs) == {
        "hubert-k500-mfcc39",
        "hubert-k2000-iter2",
        "hubert-k2000-mfcc39",
        "music2vec-vanilla",
    }
    assert ("chroma-k200", "miniature") in needs.reported_labels
    for found in (needs.reported_models, needs.reported_tasks, needs.reported_scores, needs.reported_headers):
        assert len(found) == len(set(found))
    assert {"random-hubert", "random-data2vec", "mfcc", "constant"} <= set(needs.reported_models)
    assert needs.floors("music2vec-vanilla")[0].startswith("probes/random-data2vec/")


def test_without_annotations_no_labels_are_judged(miniature: dict) -> None:
    assert Needs(Catalogue(miniature)).judged_labels
    miniature["corpora"]["miniature"]["annotations"] = ""
    assert Needs(Catalogue(miniature)).judged_labels == []
