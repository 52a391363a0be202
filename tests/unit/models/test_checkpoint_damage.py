"""A finished checkpoint with a wrong bit, or cut, is refused before anything is exported from it."""

import pytest
import torch
from golden_models import make_hubert

from musicssl.models import build_objective, trained_encoder
from musicssl.runtime import UserError
from musicssl.training import checkpoint


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_flipped_bit_is_found_wherever_it_is(tmp_path, place):
    path = tmp_path / "checkpoint.pt"
    objective = build_objective(make_hubert(), 38)
    checkpoint.save(path, {"objective": objective.state_dict(), "digest": "d", "update": 10})
    encoder = trained_encoder(path, make_hubert())
    assert torch.equal(encoder.masked_spec_embed, objective.encoder.masked_spec_embed)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"checkpoint.pt: (damaged|cannot be read) \("):
        trained_encoder(path, make_hubert())


def test_a_cut_checkpoint_is_a_sentence(tmp_path):
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"objective": build_objective(make_hubert(), 38).state_dict()})
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"checkpoint.pt: cannot be read .*train again"):
        trained_encoder(path, make_hubert())
