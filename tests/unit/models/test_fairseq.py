"""fairseq's names and checkpoints, there and back."""

import argparse
import pickle

import pytest
import torch
from golden_models import make_data2vec, make_hubert, to_fairseq

from musicssl.config.recipes import Released
from musicssl.models import build_encoder, released_encoder
from musicssl.models.fairseq import load_fairseq
from musicssl.models.passes import states
from musicssl.runtime import UserError

SETTINGS = {"_name": "hubert", "encoder_attention_heads": 4, "layer_norm_first": False, "dropout": 0.1}


def released(source, paradigm):
    return Released(kind="released", paradigm=paradigm, source=str(source), revision="main", normalize=False)


def save(path, weights, **changes):
    torch.save({"model": weights, "cfg": {"model": SETTINGS}, "optimizer_history": []} | changes, path)
    return path


@pytest.fixture
def hubert_weights(hubert_golden):
    return hubert_golden.weights("w/")


class Dictionary:
    """Stands for fairseq's own class inside real checkpoints; building one runs code."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code of a checkpoint ran')",))


class Counts(dict):
    """Another class of theirs, filled item by item when read."""


def test_hubert_checkpoint_gives_fairseqs_layers(tmp_path, hubert_golden, hubert_weights):
    encoder = released_encoder(released(save(tmp_path / "checkpoint.pt", hubert_weights), "hubert"))
    with torch.no_grad():
        layers = torch.stack(list(states(encoder, hubert_golden.wave))[1:])
    torch.testing.assert_close(layers, torch.from_numpy(hubert_golden["eval_layers"]), rtol=1e-4, atol=1e-5)
    assert encoder.config.hidden_dropout == 0.1


def test_round_trip_is_exact(tmp_path, hubert_weights, data2vec_golden):
    heads = ("final_proj.", "label_embs_concat")
    for paradigm, weights in (("hubert", hubert_weights), ("data2vec", data2vec_golden.weights("w0/"))):
        encoder = released_encoder(released(save(tmp_path / f"{paradigm}.pt", weights), paradigm))
        back = to_fairseq(encoder, paradigm)
        assert back.keys() == {name for name in weights if not name.startswith(heads)}
        assert all(torch.equal(back[name], weights[name]) for name in back)


@pytest.mark.parametrize(("make", "paradigm"), [(make_hubert, "hubert"), (make_data2vec, "data2vec")])
def test_names_cover_every_weight(make, paradigm):
    first, second = build_encoder(make()), build_encoder(make())
    load_fairseq(second, paradigm, to_fairseq(first, paradigm))
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name]), name


def test_old_settings_and_foreign_objects_are_read_without_running_them(tmp_path, hubert_weights):
    """Real checkpoints carry argparse settings or pickled dictionaries of fairseq's classes."""
    args = argparse.Namespace(**SETTINGS)
    path = save(tmp_path / "old.pt", hubert_weights, cfg=None, args=args)
    assert released_encoder(released(path, "hubert")).config.num_attention_heads == 4
    foreign = {"task_state": {"dictionaries": [Dictionary(), Counts(a=1)]}}
    path = save(tmp_path / "foreign.pt", hubert_weights, **foreign)
    assert released_encoder(released(path, "hubert")).config.num_attention_heads == 4


def test_bad_checkpoints_are_named(tmp_path, hubert_weights):
    def refuses(pattern, weights=hubert_weights, paradigm="hubert", **changes):
        path = save(tmp_path / "bad.pt", weights, **changes)
        with pytest.raises(UserError, match=pattern):
            released_encoder(released(path, paradigm))

    without = {name: weight for name, weight in hubert_weights.items() if name != "encoder.layers.1.fc1.bias"}
    refuses("lacks encoder.layers.1.fc1.bias", without)
    refuses("also holds w2v_encoder.proj.weight", hubert_weights | {"w2v_encoder.proj.weight": torch.zeros(1)})
    refuses("no weight 'encoder.pos_conv.0.0.weight'", paradigm="data2vec")
    refuses("encoder_attention_heads not found", cfg={"model": {}})
    refuses("layer_norm_first is true", cfg={"model": SETTINGS | {"layer_norm_first": True}})
    refuses("size mismatch", hubert_weights | {"layer_norm.bias": torch.zeros(31)})
    first = "feature_extractor.conv_layers.0.0.weight"
    refuses("convolution kernels", hubert_weights | {first: torch.zeros(32, 1, 8)})
    torch.save({"weights": {}}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("not a checkpoint")
    (tmp_path / "cut.pt").write_bytes(save(tmp_path / "whole.pt", hubert_weights).read_bytes()[:5000])
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps({"model": 1}))
    for name in ("other.pt", "text.pt", "cut.pt", "pickle.pt"):
        with pytest.raises(UserError, match=name):
            released_encoder(released(tmp_path / name, "hubert"))
