"""Items, rows and beat targets."""

import numpy as np
import pytest
import torch
from probing_kit import CLASSES, examples, write_task

from musicssl.probing.fit import Batches
from musicssl.probing.items import beat_frames, load_examples, read_items, spans
from musicssl.runtime import UserError


def test_beats_mark_the_frame_with_the_nearest_centre_and_its_neighbours():
    centres = np.arange(100) / 50 + 0.0125
    for time in (0.3, 0.3124, 0.3126, 1.0, 1.59):
        marked = np.flatnonzero(beat_frames([time], 100, 50, 0.0125))
        nearest = np.abs(centres - time).argmin()
        assert marked.tolist() == [nearest - 1, nearest, nearest + 1]
    assert np.flatnonzero(beat_frames([-5.0, 0.0, 2.0, 9.0], 100, 50, 0.0125)).tolist() == [0, 98, 99]


def test_spans_are_consecutive():
    assert spans(np.array([3, 10, 0]), np.array([2, 0, 3])).tolist() == [3, 4, 0, 1, 2]


def test_crops_lie_inside_their_items_and_every_item_is_seen_once():
    data = examples(np.zeros((60, 1, 1)), np.zeros(60, np.int64), 1, rows_per_item=6)
    starts = []
    batches = Batches(data, np.arange(10), 4, 4)
    for _ in range(20):
        seen = []
        for rows in batches:
            crops = rows.view(-1, 4)
            assert torch.equal(crops, crops[:, :1] + torch.arange(4))
            seen += (crops // 6)[:, [0, 3]].tolist()
            starts += (crops[:, 0] % 6).tolist()
        assert sorted(seen) == [[i, i] for i in range(10)]
    assert set(starts) == {0, 1, 2}
    whole = list(Batches(data, np.arange(10), 4, 9))
    assert [len(rows) for rows in whole] == [24, 24, 12]
    assert sorted(torch.cat(whole).tolist()) == list(range(60))
    assert torch.cat(whole).tolist() != list(range(60))


def test_examples_join_items_and_embeddings(tmp_path):
    write_task(tmp_path, "multiclass", windows=2)
    paths = tmp_path / "items.csv", tmp_path / "embeddings.npy"
    data = load_examples(*paths, "embedding", "multiclass", len(CLASSES["multiclass"]))
    assert (data.states.shape, data.num_outputs) == ((216, 3, 8), 3)
    np.testing.assert_array_equal(data.targets, np.repeat([item.target for item in read_items(paths[0])], 2))
    assert data.rows_of(data.of_split("valid")).tolist() == list(range(96, 144))


def test_embeddings_of_other_items_are_refused(tmp_path):
    write_task(tmp_path, "multiclass")
    items = tmp_path / "items.csv"
    text = items.read_text()
    items.write_text(text.replace("item7,", "other,"))
    with pytest.raises(UserError, match="'item7' is not in both"):
        load_examples(items, tmp_path / "embeddings.npy", "embedding", "multiclass", 3)
    items.write_text(text + "new,train,x.wav,0,0,song,0\n")
    with pytest.raises(UserError, match="'new' is not in both"):
        load_examples(items, tmp_path / "embeddings.npy", "embedding", "multiclass", 3)
    items.write_text(text.replace("group", "song", 1))
    with pytest.raises(UserError, match="no column group"):
        read_items(items)
