"""A fairseq checkpoint through the workflow's own script: a Hugging Face folder with the same weights."""

import types

import pytest
import torch
from golden_models import to_fairseq
from transformers import AutoFeatureExtractor, AutoModel

import import_model
from musicssl.models import load_encoder

SETTINGS = {"encoder_attention_heads": 4, "layer_norm_first": False, "dropout": 0.1}
HEADS = ("final_proj.", "label_embs_concat", "_ema")


def imported(folder, weights, paradigm, normalize):
    """Save weights as fairseq would, run the script on them, and return the encoder's folder."""
    torch.save({"model": weights, "cfg": {"model": SETTINGS}}, folder / "theirs.pt")
    entry = {
        "kind": "released", "paradigm": paradigm, "source": str(folder / "theirs.pt"), "revision": "main",
        "normalize": normalize,
    }  # fmt: skip
    recipe = {"name": "theirs", "digest": "0123456789", "entry": entry, "inputs": {}}
    output = types.SimpleNamespace(config=str(folder / "encoder" / "config.json"))
    import_model.main(types.SimpleNamespace(params=types.SimpleNamespace(recipe=recipe), output=output))
    return folder / "encoder"


def test_hubert_becomes_a_folder_with_fairseqs_layers(tmp_path, hubert_golden):
    """Outputs of transformers' own class equal those fairseq printed; weights are the same to the last bit."""
    weights = hubert_golden.weights("w/")
    folder = imported(tmp_path, weights, "hubert", normalize=False)
    model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = model(hubert_golden.wave, output_hidden_states=True).hidden_states
    expected = torch.from_numpy(hubert_golden["eval_layers"])
    torch.testing.assert_close(torch.stack(states[1:]), expected, rtol=1e-4, atol=1e-5)
    back = to_fairseq(load_encoder(folder), "hubert")
    assert back.keys() == {name for name in weights if not name.startswith(HEADS)}
    assert all(torch.equal(value, weights[name]) for name, value in back.items())
    assert AutoFeatureExtractor.from_pretrained(folder).do_normalize is False


def test_data2vec_becomes_its_student_and_the_teacher_is_left_behind(tmp_path, data2vec_golden):
    """A checkpoint carries both; what is used later is the student (fairseq deletes ``_ema`` for fine-tuning)."""
    weights = data2vec_golden.weights("w0/")
    teacher = {name: value + 1 for name, value in data2vec_golden.weights("ema_after5/").items()}
    folder = imported(tmp_path, weights | {"_ema": teacher}, "data2vec", normalize=True)
    back = to_fairseq(load_encoder(folder), "data2vec")
    assert back.keys() == {name for name in weights if not name.startswith(HEADS)}
    assert all(torch.equal(value, weights[name]) for name, value in back.items())
    assert AutoFeatureExtractor.from_pretrained(folder).do_normalize is True
    assert type(AutoModel.from_pretrained(folder)).__name__ == "Data2VecAudioModel"


@pytest.mark.parametrize("normalize", [True, False])
def test_the_recipe_decides_about_normalisation_not_the_paradigm(tmp_path, hubert_golden, normalize):
    folder = imported(tmp_path, hubert_golden.weights("w/"), "hubert", normalize)
    assert AutoFeatureExtractor.from_pretrained(folder).do_normalize is normalize
