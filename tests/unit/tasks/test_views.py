"""Views give every task the windows it had when tasks cut for themselves, which is written down here once more."""

import dataclasses
import itertools

import pytest

from musicssl.artefacts.task import Item
from musicssl.config.catalogue import Catalogue
from musicssl.config.recipes import Task, View, build
from musicssl.datasets.base import PROTOCOL, UNREADABLE, TaskData
from musicssl.runtime import UserError
from musicssl.tasks.prepare import cut
from musicssl.tasks.views import count_windows, rows_of_stretch, window_spans

RATE = 16000
FIELD = 400  # samples that a frame sees
OLD = {  # length_s and min_s of a task's windows, whether they were averaged before the probe, length of a clip
    **dict.fromkeys(["mtt", "gtzan-genre", "nsynth-instrument", "nsynth-pitch"], (0.0, 1.0, True, None)),
    **dict.fromkeys(["mtg-top50", "mtg-genre", "mtg-instrument", "mtg-moodtheme"], (30.0, 1.0, True, None)),
    "gs-key": (0.0, 1.0, True, 30.0),
    "emomusic": (5.0, 1.0, False, None),
    **dict.fromkeys(["vocalset-technique", "vocalset-singer"], (3.0, 1.0, False, 3.0)),
    "gtzan-rhythm": (0.0, 1.0, True, None),
}
# frames and rate of a file; the last two headers promise more than was decoded
FILES = [(n, RATE, 1.0) for n in (400, 9_000, 16_000, 47_999, 48_000, 79_999, 80_000, 95_999, 96_000, 479_999, 480_000,
                                  495_999, 496_000, 720_640, 960_000, 1_920_000, 3_932_161)]  # fmt: skip
FILES += [(n, 44_100, 1.0) for n in (132_299, 132_300, 1_322_999, 1_323_000, 1_323_001, 2_645_998, 2_646_000)]
FILES += [(2_646_000, 44_100, 0.9997), (1_984_500, 44_100, 0.96)]


def old_bounds(num_samples, length_s, min_s):
    """Return (start, stop) of windows, as :mod:`musicssl.probing.embed` cut an item at revision a95aa63."""
    length = round(length_s * RATE) or num_samples
    bounds = [(start, min(start + length, num_samples)) for start in range(0, num_samples, length)]
    shortest = max(min_s * RATE, FIELD)
    return bounds[:1] + [(start, stop) for start, stop in bounds[1:] if stop - start >= shortest]


def old_spans(task, num_samples, duration_s):
    """Return the sample spans of every item of a recording; what was skipped is left out."""
    length_s, min_s, _, clip_s = OLD[task]
    stretches = [(0.0, 0.0)]
    if clip_s:
        count = int(duration_s / clip_s + 1e-6)
        stretches = [(k * clip_s, clip_s) for k in range(count)]
        if task == "gs-key" and not count:
            stretches = [(0.0, 0.0)]
    items = []
    for start_s, stretch_s in stretches:
        first = min(round(start_s * RATE), num_samples)
        count = min(round(stretch_s * RATE) if stretch_s else num_samples, num_samples - first)
        if count >= FIELD:
            items.append([(first + a, first + b) for a, b in old_bounds(count, length_s, min_s)])
    return items


@pytest.mark.parametrize("name", OLD)
def test_every_task_has_the_samples_it_had(paper, name):
    catalogue = Catalogue(paper)
    task = build(Task, catalogue.entry("tasks", name))
    view = build(View, catalogue.entry("views", task.view))
    for frames, rate, decoded in FILES:
        duration_s, num_samples = frames / rate, round(frames * decoded * RATE / rate)
        data = TaskData([Item("r", "train", "r.wav", 0.0, 0.0, "r", 0)], [], [], None, [])
        whole = view if task.items == "window" else None
        items = cut(task.dataset, data, whole, task.options, {"r.wav": duration_s}.get).items
        spans = [span for span in window_spans(num_samples, duration_s, view) if span[1] - span[0] >= FIELD]
        owned = [rows_of_stretch(item.start_s, item.duration_s, len(spans), view) for item in items]
        found = [[spans[k] for k in rows] for rows in owned if rows]
        assert found == old_spans(name, num_samples, duration_s), (frames, rate)
    assert (view.rows == "recording") == (OLD[name][2] and not OLD[name][3] and task.kind != "beats")
    assert (view.rows == "frame") == (task.kind == "beats")


def test_every_task_is_held_against_its_past(paper):
    assert set(OLD) == set(Catalogue(paper).names("tasks"))


@pytest.mark.parametrize(("window_s", "min_s"), itertools.product((0.3, 3.0, 29.7), (0.0, 0.2, 1.0)))
def test_windows_tile_a_recording_from_its_start(window_s, min_s):
    view = View(window_s=window_s, min_s=min(min_s, window_s), rows="window")
    for num_samples in (400, 4_799, 48_001, 1_234_567):
        spans = window_spans(num_samples, num_samples / RATE, view)
        assert spans[0][0] == 0
        assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))
        assert {stop - start for start, stop in spans[:-1]} <= {round(window_s * RATE)}
        assert spans[-1][1] <= num_samples


def test_windows_of_the_paper():
    windows = View(window_s=5.0, min_s=1.0, rows="window")
    assert len(window_spans(int(45.04 * RATE), 45.04, windows)) == 9
    assert window_spans(int(6.5 * RATE), 6.5, windows)[-1] == (5 * RATE, int(6.5 * RATE))
    assert window_spans(8000, 0.5, windows) == [(0, 8000)]
    assert count_windows(59.99999, View(window_s=30.0, min_s=30.0, rows="window")) == 2


CLIPS = View(window_s=30.0, min_s=30.0, rows="window")


def items_of(lengths_s, view=CLIPS, options=None):
    items = [Item(path, "train", path, 0.0, 0.0, path, 0) for path in lengths_s]
    data = TaskData(items, [], [], {"train": 1, "valid": 1, "test": 1}, ["read"])
    return cut("giantsteps", data, view, options or {}, lengths_s.get)


def test_an_item_is_a_window_and_a_short_recording_stays_whole():
    data = items_of({"a": 65.0, "b": 30.0, "c": 20.0, "d": 0.0})
    found = [(item.id, item.start_s, item.duration_s, item.group) for item in data.items]
    assert found == [("a#0", 0, 30, "a"), ("a#1", 30, 30, "a"), ("b#0", 0, 30, "b"), ("c#0", 0, 0, "c")]
    assert [(skip.item, skip.reason, skip.split) for skip in data.skipped] == [("d", UNREADABLE, "train")]
    assert data.notes == ["read", "an item each 30 s"]
    assert data.expected == {"train": 3_687, "valid": 942, "test": 2_406}  # published in clips of 30 s
    short = items_of({"a": 65.0}, dataclasses.replace(CLIPS, window_s=12.0, min_s=12.0))
    assert [item.start_s for item in short.items] == [0.0, 12.0, 24.0, 36.0, 48.0]
    assert short.expected is None


def test_short_recordings_are_left_out_where_the_task_says_so():
    segments = View(window_s=3.0, min_s=3.0, rows="window")
    data = items_of({"a": 7.0, "b": 2.9, "c": 3.0}, segments, {"min_recording_s": 3.0})
    assert [item.id for item in data.items] == ["a#0", "a#1", "c#0"]
    assert [(skip.item, skip.reason) for skip in data.skipped] == [("b", PROTOCOL)]
    whole = items_of({"a": 7.0, "b": 2.9}, None, {"min_recording_s": 3.0})
    assert [(item.id, item.duration_s) for item in whole.items] == [("a", 0.0)]
    assert whole.expected == {"train": 1, "valid": 1, "test": 1}
    for value in ("long", -1):
        with pytest.raises(UserError, match=r"options.min_recording_s: found .*, expected seconds, such as 3.0"):
            items_of({"a": 7.0}, None, {"min_recording_s": value})
