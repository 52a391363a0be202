"""Digests of models without training and of weights from elsewhere depend on what decides them and on nothing else."""

import copy
import random

import pytest

from musicssl.config.catalogue import Catalogue
from musicssl.config.inherit import ConfigError
from musicssl.config.sources import content_digest


def digest(config: dict, model: str) -> str:
    return Catalogue(config).recipe("models", model)["digest"]


@pytest.mark.parametrize(
    ("path", "value", "same"),
    [
        (("hubert-base", "temperature"), 0.5, True),
        (("hubert-base", "masking", "prob"), 0.1, True),
        (("pretraining", "updates"), 70, True),
        (("pretraining", "optimizer", "eps"), 1.0, True),
        (("pretraining", "seed"), 5, False),
        (("pretraining", "architecture", "hidden_size"), 192, False),
    ],
)
def test_an_untrained_model_is_paradigm_architecture_and_seed(miniature: dict, path: tuple, value, same: bool) -> None:
    changed = copy.deepcopy(miniature)
    table = changed["models"]
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value
    assert (digest(changed, "random-hubert") == digest(miniature, "random-hubert")) == same
    assert digest(changed, "hubert-k2000-mfcc39") != digest(miniature, "hubert-k2000-mfcc39")


def test_an_untrained_model_of_what_is_not_trained_is_one_problem(miniature: dict) -> None:
    miniature["models"]["odd"] = {"kind": "untrained", "of": "mfcc"}
    with pytest.raises(ConfigError) as caught:
        Catalogue(miniature)
    assert caught.value.problems == ["models.odd.of: mfcc is of kind 'mfcc-floor', expected hubert or data2vec"]
    miniature["models"]["odd"]["of"] = "music2vec-vanila"
    with pytest.raises(
        ConfigError, match=r"models.odd.of: no models entry 'music2vec-vanila'; did you mean 'music2vec-"
    ):
        Catalogue(miniature)


def test_a_model_that_never_updates_is_refused(miniature: dict) -> None:
    """It was an untrained baseline without a word."""
    miniature["models"]["music2vec-vanilla"]["updates"] = 0
    with pytest.raises(ConfigError, match=r"models.music2vec-vanilla.updates: found 0, expected at least 1"):
        Catalogue(miniature)


def test_replaced_weights_are_another_model(miniature: dict, tmp_path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"one")
    miniature["models"]["hubert-speech"]["source"] = str(tmp_path)
    before = digest(miniature, "hubert-speech")
    assert digest(miniature, "hubert-speech") == before
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert digest(miniature, "hubert-speech") != before
    assert content_digest(str(tmp_path / "nothing")) == ""


def test_another_revision_is_another_model(miniature: dict) -> None:
    before = digest(miniature, "data2vec-speech")
    miniature["models"]["data2vec-speech"]["revision"] = "0123456"
    assert digest(miniature, "data2vec-speech") != before


def test_the_order_of_keys_changes_no_recipe(miniature: dict) -> None:
    """Snakemake compares recipes as text, so their order must be the classes' own."""

    def shuffled(value):
        if not isinstance(value, dict):
            return value
        keys = list(value)
        random.Random(0).shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    one, other = Catalogue(miniature), Catalogue(shuffled(miniature))
    for noun in ("models", "tasks", "corpora"):
        for name in one.names(noun):
            assert repr(one.recipe(noun, name)) == repr(other.recipe(noun, name)), name
