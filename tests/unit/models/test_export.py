"""Exported folders: opened by transformers alone, equal, and the same bytes twice."""

import json
import multiprocessing
import re
import resource
import shutil
import types
from dataclasses import asdict

import pytest
import torch
from golden_models import make_data2vec, make_hubert
from safetensors import SafetensorError
from transformers import AutoFeatureExtractor, AutoModel

import export_model
import import_model
from musicssl.artefacts import write_jsonl
from musicssl.config.recipes import Released
from musicssl.models import build_objective, export_encoder, load_encoder, released_encoder, trained_encoder
from musicssl.runtime import UserError

CARD = {"name": "tiny", "digest": "0123456789", "data": "noise", "licence": "CC0-1.0", "metrics": {"bits": 5.5}}
FILES = ["README.md", "config.json", "model.safetensors", "preprocessor_config.json"]
BOTH = pytest.mark.parametrize(("make", "clusters"), [(make_hubert, 38), (make_data2vec, None)])


def released(source, paradigm="hubert"):
    return Released(kind="released", paradigm=paradigm, source=str(source), revision="main", normalize=False)


@BOTH
def test_folder_opens_without_us_and_gives_the_same_numbers(tmp_path, make, clusters):
    objective = build_objective(make(), clusters).eval()
    export_encoder(objective, make(), tmp_path / "encoder", CARD)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == FILES
    wave = torch.randn(2, 8000)
    with torch.no_grad():
        expected = objective.encoder(wave).last_hidden_state
        for model in (AutoModel.from_pretrained(tmp_path / "encoder").eval(), load_encoder(tmp_path / "encoder")):
            assert type(model) is type(objective.encoder)
            assert torch.equal(model(wave).last_hidden_state, expected)
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]  # nothing temporary is left


@BOTH
def test_preprocessor_says_how_it_was_trained(tmp_path, make, clusters):
    export_encoder(build_objective(make(), clusters), make(), tmp_path, CARD)
    extractor = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert type(extractor).__name__ == "Wav2Vec2FeatureExtractor"
    assert extractor.sampling_rate == 16000
    assert (extractor.do_normalize, extractor.return_attention_mask) == (make().normalize, make is make_data2vec)


def test_same_weights_give_the_same_bytes(tmp_path):
    objective = build_objective(make_hubert(), 38)
    for name in ("first", "second"):
        export_encoder(objective, make_hubert(), tmp_path / name, CARD)
    for name in FILES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_card_tells_origin_licence_metrics_and_recipe(tmp_path):
    export_encoder(build_objective(make_hubert(), 38), make_hubert(), tmp_path, CARD)
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("---\nlicense: other\n")
    for word in ("# tiny", "noise", "CC0-1.0", "| bits | 5.5 |", "0123456789", "3 layers", '"temperature": 0.1'):
        assert word in text
    assert "zero mean" not in text
    assert '"AutoModel' not in text


def test_failed_export_leaves_the_old_folder(tmp_path):
    objective = build_objective(make_hubert(), 38)
    export_encoder(objective, make_hubert(), tmp_path / "encoder", CARD)
    before = {name: (tmp_path / "encoder" / name).read_bytes() for name in FILES}
    with torch.no_grad():
        objective.encoder.masked_spec_embed.zero_()
    with pytest.raises(KeyError):
        export_encoder(objective, make_hubert(), tmp_path / "encoder", {"metrics": {}})
    assert before == {name: (tmp_path / "encoder" / name).read_bytes() for name in FILES}
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]


def export_with_little_space(size, job, answer):
    torch.set_num_threads(1)  # the others did not come along
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        export_model.main(job)
    except UserError as error:
        answer.send(str(error))


@pytest.mark.parametrize("size", [100, 3000], ids=["config", "weights"])
@pytest.mark.parametrize("old", [True, False])
def test_a_full_disk_is_a_sentence_and_leaves_the_old_folder(tmp_path, size, old):
    """A limit on file size fails in ``write`` as a full disk does, in Python and in safetensors."""
    objective = build_objective(make_hubert(), 38)
    torch.save({"objective": objective.state_dict(), "digest": "0123456789", "update": 10}, tmp_path / "checkpoint.pt")
    write_jsonl(tmp_path / "metrics.jsonl", [])
    inputs = {"checkpoint": str(tmp_path / "checkpoint.pt"), "metrics": str(tmp_path / "metrics.jsonl")}
    out = tmp_path / "encoder"
    if old:
        export_encoder(build_objective(make_hubert(), 38), make_hubert(), out, CARD)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    receive, send = multiprocessing.Pipe(duplex=False)
    arguments = (size, job(tmp_path, asdict(make_hubert()), **inputs), send)
    process = multiprocessing.get_context("fork").Process(target=export_with_little_space, args=arguments)
    process.start()
    send.close()  # ours: a child that dies without an answer must not leave us waiting
    message = receive.recv()
    process.join()
    weights = sum(weight.numel() for weight in objective.encoder.state_dict().values()) * 4 / 1e6
    words = re.search(r"encoder: the encoder could not be written \((.*)\): .* take ([\d.]+) MB, ([\d.]+) MB", message)
    assert "File too large" in words[1]
    assert float(words[2]) == pytest.approx(weights, abs=0.051)
    assert float(words[3]) == pytest.approx(shutil.disk_usage(tmp_path).free / 1e6, rel=0.1)
    assert re.search(r"; free space or quota, .* run the same command again$", message)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_other_errors_of_safetensors_stay_what_they_are(tmp_path, monkeypatch):
    objective = build_objective(make_hubert(), 38)

    def wrong(*arguments, **options):
        raise SafetensorError("Error while serializing: invalid shape")

    monkeypatch.setattr(objective.encoder, "save_pretrained", wrong)
    with pytest.raises(SafetensorError, match="invalid shape"):
        export_encoder(objective, make_hubert(), tmp_path, CARD)


def test_released_folder_is_opened(tmp_path):
    objective = build_objective(make_hubert(), 38).eval()
    export_encoder(objective, make_hubert(), tmp_path, CARD)
    wave = torch.randn(1, 8000)
    with torch.no_grad():
        found = released_encoder(released(tmp_path))(wave).last_hidden_state
        assert torch.equal(found, objective.encoder(wave).last_hidden_state)


def test_foreign_folders_are_named(tmp_path):
    export_encoder(build_objective(make_hubert(), 38), make_hubert(), tmp_path, CARD)
    with pytest.raises(UserError, match="model_type is 'hubert', expected 'data2vec-audio'"):
        released_encoder(released(tmp_path, "data2vec"))
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"do_stable_layer_norm": True}))
    with pytest.raises(UserError, match="do_stable_layer_norm is True, expected False"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    with pytest.raises(UserError, match="weights missing, such as encoder"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": 96}))
    with pytest.raises(UserError, match=r"weights do not fit config\.json"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(UserError, match="model_type 'bert'"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").unlink()
    for load in (load_encoder, lambda folder: released_encoder(released(folder))):
        with pytest.raises(UserError, match=str(tmp_path)):
            load(tmp_path)


def test_unreachable_sources_are_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for source, pattern in (
        ("nobody/no-such-model", "nobody/no-such-model is no complete folder here and the Hugging Face hub"),
        (tmp_path / "gone", "gone not found, expected a Hugging Face folder"),
        ("gone.pt", "gone.pt not found"),
        ("./models/theirs/gone", "gone not found"),
    ):
        with pytest.raises(UserError, match=pattern) as caught:
            released_encoder(released(source))
        assert "\n" not in str(caught.value)


def job(tmp_path, entry, licence="", **inputs):
    names = {"config": "config.json", "weights": "model.safetensors", "card": "README.md"}
    return types.SimpleNamespace(
        input=types.SimpleNamespace(**inputs),
        output=types.SimpleNamespace(**{key: str(tmp_path / "encoder" / name) for key, name in names.items()}),
        params=types.SimpleNamespace(
            licence=licence,
            recipe={
                "name": "tiny",
                "digest": "0123456789",
                "entry": entry,
                "inputs": {"corpus": {"name": "noise", "digest": "abc"}},
            },
        ),
    )


@BOTH
def test_scripts_export_and_import(tmp_path, make, clusters):
    """A training checkpoint becomes a folder; that folder, as somebody's release, becomes the same weights again."""
    objective = build_objective(make(), clusters)
    torch.save({"objective": objective.state_dict(), "digest": "0123456789", "update": 10}, tmp_path / "checkpoint.pt")
    rows = [{"update": 10, "split": "valid", "loss": 1.25}, {"update": 10, "split": "train", "loss": 7.0}]
    write_jsonl(tmp_path / "metrics.jsonl", rows)
    inputs = {"checkpoint": str(tmp_path / "checkpoint.pt"), "metrics": str(tmp_path / "metrics.jsonl")}
    export_model.main(job(tmp_path, asdict(make()), **inputs))
    text = (tmp_path / "encoder" / "README.md").read_text()
    assert "| loss | 1.25 |" in text
    assert "corpus `noise`" in text
    entry = asdict(released(tmp_path / "encoder", make().kind))
    import_model.main(job(tmp_path / "again", entry))
    again = load_encoder(tmp_path / "again" / "encoder").state_dict()
    for name, weight in objective.encoder.state_dict().items():
        assert torch.equal(weight, again[name]), name


@pytest.mark.parametrize(
    ("licence", "line"),
    [
        (
            "",
            "* Licence: not stated for the audio of corpus `noise`; weights may fall under the terms of what they were",
        ),
        ("CC BY 4.0", "* Licence: CC BY 4.0 for the audio of corpus `noise`; weights may fall under the terms of what"),
    ],
)
def test_the_card_tells_the_licence_of_the_corpus(tmp_path, licence, line):
    torch.save(
        {"objective": build_objective(make_hubert(), 38).state_dict(), "digest": "0123456789", "update": 10},
        tmp_path / "checkpoint.pt",
    )
    write_jsonl(tmp_path / "metrics.jsonl", [])
    inputs = {"checkpoint": str(tmp_path / "checkpoint.pt"), "metrics": str(tmp_path / "metrics.jsonl")}
    export_model.main(job(tmp_path, asdict(make_hubert()), licence, **inputs))
    (found,) = re.findall(r"^\* Licence: .*$", (tmp_path / "encoder" / "README.md").read_text(), re.M)
    assert found.startswith(line)


def test_a_snapshot_is_exported_as_the_model_it_was(tmp_path):
    early, late = (build_objective(make_hubert(), 38) for _ in range(2))
    kept = {f"encoder.{name}": weight for name, weight in early.encoder.state_dict().items()}
    torch.save(
        {"objective": late.state_dict(), "snapshots": {4: kept}, "digest": "0123456789", "update": 10},
        tmp_path / "checkpoint.pt",
    )
    rows = [{"update": n, "split": "valid", "loss": float(n)} for n in (2, 4, 6)]
    write_jsonl(tmp_path / "metrics.jsonl", rows)
    inputs = {"checkpoint": str(tmp_path / "checkpoint.pt"), "metrics": str(tmp_path / "metrics.jsonl")}
    found = job(tmp_path, {"kind": "snapshot", "of": "late", "updates": 4}, **inputs)
    run = job(tmp_path, asdict(make_hubert()), **inputs).params.recipe
    found.params.recipe["inputs"] = {"model": run}
    export_model.main(found)
    again = load_encoder(tmp_path / "encoder").state_dict()
    assert all(torch.equal(weight, again[name]) for name, weight in early.encoder.state_dict().items())
    text = (tmp_path / "encoder" / "README.md").read_text()
    assert "| loss | 4.0 |" in text
    assert f"4 updates of the {make_hubert().updates} of" in text
    found.params.recipe["entry"]["updates"] = 5
    with pytest.raises(UserError, match=r"checkpoint.pt: keeps no encoder of update 5, .*cost of the whole tr"):
        export_model.main(found)


def test_checkpoint_of_another_digest_is_refused(tmp_path):
    """Weights of the right shapes from another recipe."""
    torch.save(
        {"objective": build_objective(make_hubert(), 38).state_dict(), "digest": "other", "update": 10},
        tmp_path / "a.pt",
    )
    assert trained_encoder(tmp_path / "a.pt", make_hubert(), digest="other")
    with pytest.raises(UserError, match=r"a.pt: made by recipe other, expected mine; delete it and train again"):
        trained_encoder(tmp_path / "a.pt", make_hubert(), digest="mine")


def test_checkpoint_of_another_recipe_is_named(tmp_path):
    torch.save(
        {"objective": build_objective(make_hubert(), 38).state_dict(), "digest": "0123456789", "update": 10},
        tmp_path / "checkpoint.pt",
    )
    write_jsonl(tmp_path / "metrics.jsonl", [])
    inputs = {"checkpoint": str(tmp_path / "checkpoint.pt"), "metrics": str(tmp_path / "metrics.jsonl")}
    with pytest.raises(UserError, match=r"checkpoint.pt: .*encoder.layers.2.* expected the weights of its recipe"):
        export_model.main(job(tmp_path, asdict(make_hubert(num_layers=2)), **inputs))
