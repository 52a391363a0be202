"""Bad input that the other tests leave out, with the errors a real system gives."""

import io

import pytest
import torch
import training_kit as kit

from musicssl import models
from musicssl.artefacts import read_jsonl
from musicssl.artefacts.journal import Journal
from musicssl.runtime import UserError
from musicssl.training.data import Clips
from musicssl.training.pretraining import pretrain


def test_audio_at_another_rate(tmp_path):
    audio, labels, _ = kit.write_corpus(tmp_path, [[16000] * 4])
    index = audio[0].with_suffix(".json")
    index.write_text(index.read_text().replace("16000", "22050", 1))
    with pytest.raises(UserError, match=r"000.npy: sample_rate_hz is 22050, expected 16000; delete the shard"):
        Clips(audio, [labels], 8000)


def test_clips_shorter_than_a_frame_are_left_out_and_need_no_labels(tmp_path):
    """A frame is 400 samples: 399 have none, so no label is missed, and no crop of 400 fits."""
    audio, labels, _ = kit.write_corpus(tmp_path, [[399, 16000, 400, 16000]])
    clips = Clips(audio, [labels], 400)
    assert clips.train.tolist() == [1, 2]
    assert clips.labels(2, 0, 1).shape == (1,)


@pytest.mark.parametrize(
    ("micro_batch_s", "message"),
    [
        (4.0, "4 s of audio in one forward pass do not fit.*smaller micro_batch_s.*such as 2, which keeps"),
        (None, "2 s of audio in one forward pass do not fit.*smaller micro_batch_s.*such as 1, which keeps"),
        (0.5, "0.5 s of audio .* do not fit.*; that is one clip: give a shorter crop_s than 0.5 s"),
    ],
    ids=["two groups", "a group", "a clip"],
)
def test_memory_that_torchs_own_allocator_refuses(tmp_path, monkeypatch, micro_batch_s, message):
    """A petabyte is beyond any address space: the words are those of the installed torch, not ours."""

    def too_large(self, *arguments):
        return torch.empty(1 << 50, dtype=torch.uint8)

    audio, labels, _ = kit.write_corpus(tmp_path, [[16000] * 8])
    monkeypatch.setattr(models, "build_objective", kit.tiny_objective)
    monkeypatch.setattr(kit.TinyObjective, "forward", too_large)
    with pytest.raises(UserError, match=message):
        pretrain(kit.recipe(kit.HUBERT), audio, [labels], tmp_path / "model", micro_batch_s)


def test_rows_on_a_full_disk_are_a_sentence(tmp_path):
    """Linux's device without space stands for the disk; what was written before is still there."""
    journal = Journal(tmp_path / "metrics.jsonl", 0)
    journal.write({"update": 1, "loss": 2.0})
    with open("/dev/full", "wb", buffering=0) as full:
        journal._stream = io.TextIOWrapper(full, write_through=False)
        with pytest.raises(UserError, match=r"metrics.jsonl: could not be written \(No space left on device\)"):
            journal.write({"update": 2, "loss": 1.0})
        journal._stream.detach()
    assert [row["update"] for row in read_jsonl(tmp_path / "metrics.jsonl")] == [1]
