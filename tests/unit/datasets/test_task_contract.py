"""What every task promises, for all 13 of them."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import task_layouts

import prepare_task
from musicssl.artefacts import recordings
from musicssl.artefacts import task as stored
from musicssl.commands import tasks as command
from musicssl.config.recipes import Items, View
from musicssl.datasets import DATASETS, adapter, base, gtzan, nsynth
from musicssl.datasets.disk import audio_duration_s
from musicssl.datasets.listing import list_recordings
from musicssl.runtime import UserError
from musicssl.tasks import checks
from musicssl.tasks.prepare import prepare

TASKS = [(dataset, target) for dataset in DATASETS for target in adapter(dataset).TARGETS]
GOLDEN = Path(__file__).parents[2] / "golden" / "published_splits.csv"


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return {name: write(tmp_path_factory.mktemp(name)) for name, write in task_layouts.WRITERS.items()}


def entry(dataset, target, **changes):
    kind = adapter(dataset).TARGETS[target]
    return Items(**{"dataset": dataset, "target": target, "kind": kind, "items": "recording", "options": {}} | changes)


def read(root, dataset, target, view=None, **changes):
    """Return the items of a task, whose recordings have the lengths that their headers give."""
    task = entry(dataset, target, **changes)
    return prepare(task, view, root, lambda path: audio_duration_s(root / path) or 0.0)


def test_there_are_13_tasks():
    assert len(TASKS) == 13


@pytest.mark.parametrize(("dataset", "target"), TASKS)
def test_items_keep_the_contract(roots, dataset, target):
    root, kind = roots[dataset], adapter(dataset).TARGETS[target]
    data = read(root, dataset, target)
    homes: dict[str, set[str]] = {}
    for item in data.items:
        homes.setdefault(item.group, set()).add(item.split)
        assert (root / item.path).is_file()
        assert not item.path.startswith("/")
        assert item.start_s >= 0
        assert item.duration_s >= 0
        if kind in ("multiclass", "key"):
            assert type(item.target) is int
            assert 0 <= item.target < len(data.classes)
        elif kind == "multilabel":
            assert len(item.target) == len(data.classes)
            assert set(item.target) <= {0, 1}
        else:
            assert all(type(value) is float for value in item.target)
            assert kind == "beats" or len(item.target) == len(data.classes)
    assert all(len(splits) == 1 for splits in homes.values())
    assert set().union(*homes.values()) == set(base.SPLITS)
    assert len({item.id for item in data.items}) == len(data.items)
    assert len(set(data.classes)) == len(data.classes)
    assert data == read(root, dataset, target)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_says_what_it_is(dataset):
    module = adapter(dataset)
    assert "year = {" in module.CITATION
    assert module.CITATION.count("{") == module.CITATION.count("}")
    for text in (module.LICENCE, module.SOURCE, module.LAYOUT):
        assert text
        assert "http" not in text


@pytest.mark.parametrize("row", csv.DictReader(GOLDEN.open()), ids=lambda row: f"{row['dataset']}:{row['target']}")
def test_expected_sizes_are_the_published_ones(roots, row):
    data = task_layouts.read_dataset(row["dataset"], row["target"], roots[row["dataset"]])
    if row["dataset"] == "giantsteps":  # in clips of 30 s
        view = View(window_s=30.0, min_s=30.0, rows="window")
        data = read(roots["giantsteps"], "giantsteps", row["target"], view, items="window")
    assert data.expected == {split: int(row[split]) for split in base.SPLITS}
    if row["dataset"] != "mtg-jamendo":  # its outputs come from the split files
        assert len(data.classes) == int(row["num_outputs"])
    assert any("differ from the published" in note for note in data.notes)


@pytest.mark.parametrize(("dataset", "target"), TASKS)
def test_missing_root_and_empty_root_name_the_source(tmp_path, dataset, target):
    module = adapter(dataset)
    with pytest.raises(UserError, match=r"no such folder") as error:
        task_layouts.read_dataset(dataset, target, tmp_path / "absent")
    assert module.SOURCE in str(error.value)
    with pytest.raises(UserError) as error:
        task_layouts.read_dataset(dataset, target, tmp_path)
    assert module.SOURCE in str(error.value)
    assert module.LAYOUT in str(error.value)


def test_unknown_names_are_refused_with_what_is_known(tmp_path):
    with pytest.raises(UserError, match=r"found 'nsinth', expected one of emomusic, giantsteps"):
        task_layouts.read_dataset("nsinth", "pitch", tmp_path)
    with pytest.raises(UserError, match=r"found 'tone', expected one of instrument, pitch"):
        task_layouts.read_dataset("nsynth", "tone", tmp_path)
    with pytest.raises(UserError, match=r"kind of nsynth:pitch: found 'key', expected 'multiclass'"):
        read(tmp_path, "nsynth", "pitch", kind="key")


def one(split="train", key="a", group="g", target=0):
    return base.Item(key, split, "a.wav", 0.0, 0.0, group, target)


def check(items, kind="multiclass", classes=("x", "y"), expected=None, skipped=()):
    data = base.TaskData(list(items), list(classes), list(skipped), expected, [])
    return checks.check_items("some:task", data, kind, "the shop")


def test_an_empty_split_is_refused():
    three = [one("train", "1", "1"), one("valid", "2", "2"), one("test", "3", "3")]
    assert check(three, classes=["x"]) == []
    lost = [base.Skip("3", base.MISSING_AUDIO, "3.wav is not there")]
    with pytest.raises(UserError, match=r"no usable item in test \(1 x missing audio, first 3: 3.wav.*from the shop"):
        check(three[:2], skipped=lost)
    with pytest.raises(UserError, match=r"in test \(.*first 3: 3.wav is not there"):
        check(three[:2], skipped=[base.Skip("0", base.PROTOCOL, "left out"), *lost])


def test_an_item_twice_and_a_recording_in_two_splits_are_refused_with_both_places():
    draft = base.Draft()
    draft.add(one("train", "1#0", "1"), "a.tsv: row 2")
    draft.add(one("train", "1#1", "1"), "a.tsv: row 2")
    with pytest.raises(UserError, match=r"^a.tsv: row 9: '1#1' is listed a second time, first in a.tsv: row 2, "):
        draft.add(one("train", "1#1", "1"), "a.tsv: row 9")
    with pytest.raises(UserError, match=r"^b.tsv: row 3: recording '1' is in test, and in train by a.tsv: row 2, "):
        draft.add(one("test", "1#2", "1"), "b.tsv: row 3")
    draft.keep_apart("artist 'x'", "train", "a.tsv: row 4")
    with pytest.raises(UserError, match=r"^b.tsv: row 5: artist 'x' is in valid, and in train by a.tsv: row 4, expec"):
        draft.keep_apart("artist 'x'", "valid", "b.tsv: row 5")
    assert [item.id for item in draft.items] == ["1#0", "1#1"]


def test_absent_classes_and_other_sizes_are_notes():
    items = [one("train", "1", "1", 0), one("train", "2", "2", 1), one("valid", "3", "3", 1), one("test", "4", "4", 1)]
    notes = check(items, expected={"train": 1000, "valid": 1, "test": 1})
    assert notes == [
        "split sizes 2/1/1 differ from the published 1,000/1/1",
        "valid has no item of 1 of 2 classes: x",
        "test has no item of 1 of 2 classes: x",
    ]
    beats = [base.Item(item.id, item.split, "a", 0.0, 0.0, item.group, [0.5]) for item in items]
    assert check(beats, kind="beats", classes=[]) == []


@pytest.mark.parametrize("split", base.SPLITS)
def test_a_tag_absent_from_a_split_is_refused_before_anything_is_embedded(split):
    """Its ROC-AUC and AP would be undefined (test), its epoch chosen blindly (valid), its output untrained (train)."""
    items = [one(part, f"{part}{i}", f"{part}{i}", [i, 1 - i]) for part in base.SPLITS for i in (0, 1)]
    assert check(items, kind="multilabel") == []
    lost = [base.Skip("7", base.EMPTY_FILE, "7.mp3 has no bytes", split)]
    rest = [item for item in items if item.id != f"{split}0"]
    with pytest.raises(
        UserError, match=rf"{split} has no item of 1 of 2 classes: y \(1 x empty file, first 7.*the shop"
    ):
        check(rest, kind="multilabel", skipped=lost)


def usable(num_usable, lost, least=0.9):
    items = [one(split, f"{split}{i}", f"{split}{i}") for split in ("train", "valid") for i in range(90)]
    items += [one("test", f"{i}#{k}", str(i)) for i in range(num_usable) for k in range(5)]
    checks.require_usable("some:task", base.TaskData(items, [], lost, None, []), least, "the shop")


def test_a_split_that_lost_more_than_a_tenth_of_its_recordings_is_refused():
    """Recordings are counted, not their clips; what a whole download lacks too is no loss."""
    lost = [base.Skip("7", base.MISSING_AUDIO, "7.wav is not there", "test")]
    left_out = [base.Skip(str(i), base.PROTOCOL, "left out", "test") for i in range(50)]
    other = [base.Skip(str(i), base.EMPTY_FILE, "no bytes", "train") for i in range(11)]
    usable(9, lost + left_out)
    with pytest.raises(
        UserError,
        match=r"some:task: found 8 usable of 9 recordings that test lists \(88.9%; 1 x missing audio, first 7: 7.wav is"
        r" not there\), expected at least 90.0%; complete the download from the shop, or lower options.min_usable",
    ):
        usable(8, lost + left_out)
    with pytest.raises(UserError, match=r"found 90 usable of 101 recordings that train lists \(89.1%; 11 x empty"):
        usable(9, other)
    with pytest.raises(UserError, match=r"found 8 usable of 9 recordings that test lists"):
        usable(8, [base.Skip("7", base.MISSING_ANNOTATION, "no row, so no split")])
    usable(8, lost, 0.5)


def test_the_least_share_is_an_option_of_every_task(roots, tmp_path):
    root = shutil.copytree(roots["gtzan"], tmp_path / "gtzan")
    (root / "genres_original" / "rock" / "rock.00099.wav").unlink()
    with pytest.raises(
        UserError, match=r"gtzan:genre: found 1 usable of 2 recordings that train lists \(50.0%; .*rock"
    ):
        read(root, "gtzan", "genre")
    assert len(read(root, "gtzan", "genre", options={"min_usable_fraction": 0.5}).items) == 4
    for value in ("half", 1.5, -0.1):
        with pytest.raises(UserError, match=r"options.min_usable_fraction: found .*, expected a share from 0 to 1"):
            read(root, "gtzan", "genre", options={"min_usable_fraction": value})


def test_prepare_task_writes_the_three_files(roots, tmp_path):
    recipe = {
        "name": "gtzan-rhythm",
        "digest": "0" * 10,
        "entry": dataclasses.asdict(entry("gtzan", "rhythm")),
        "inputs": {},
    }
    recordings.write(tmp_path / "recordings.csv", list_recordings("gtzan", roots["gtzan"], 2))
    out = tmp_path / "task"
    job = SimpleNamespace(
        params=SimpleNamespace(recipe=recipe, place={"root": str(roots["gtzan"])}),
        input=SimpleNamespace(recordings=tmp_path / "recordings.csv"),
        output=SimpleNamespace(table=str(out / "items.csv")),
    )
    prepare_task.main(job)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(first) == ["items.csv", "skipped.csv", "task.json"]
    assert not any(b"\r" in content for content in first.values())
    prepare_task.main(job)
    assert first == {path.name: path.read_bytes() for path in out.iterdir()}
    table = stored.read(out)
    assert (table.items[0].id, table.items[0].target) == ("rock.00099", [0.5, 1.0, 1.5, 2.0])
    assert [(skip.item, skip.split) for skip in table.skipped] == [("jazz.00054", "train")]
    assert (table.task, table.dataset, table.kind, table.classes) == ("gtzan-rhythm", "gtzan", "beats", [])
    card = json.loads((out / "task.json").read_text())
    assert card["counts"] == {"train": 2, "valid": 1, "test": 2}


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_target_finds_its_recordings_in_the_list(roots, dataset):
    """Whatever its annotations are, and none of them is needed to list."""
    listed = [one.path for one in list_recordings(dataset, roots[dataset], 1)]
    assert listed == sorted(set(listed))
    for target in adapter(dataset).TARGETS:
        assert {item.path for item in read(roots[dataset], dataset, target).items} <= set(listed)
    assert not [path for path in listed if "jazz.00054" in path]


def test_the_list_needs_no_annotation(roots, tmp_path):
    for name in ("gtzan", "mtg-jamendo"):
        root = shutil.copytree(roots[name], tmp_path / name)
        for path in [*root.glob("*.txt"), *root.rglob("*.tsv"), *root.rglob("*.jams")]:
            path.unlink()
        wanted = list_recordings(name, roots[name], 1)
        assert list_recordings(name, root, 2) == wanted
        assert wanted
    (tmp_path / "empty" / "genres").mkdir(parents=True)
    with pytest.raises(UserError, match=r"empty: found no audio file of gtzan, expected below it: genres_original/"):
        list_recordings("gtzan", tmp_path / "empty", 1)


def test_a_recording_that_was_added_since_is_told(roots):
    with pytest.raises(
        UserError, match=r"rock.00099.wav: is not among the listed recordings of gtzan, .*--forcerun lis"
    ):
        prepare(entry("gtzan", "genre"), None, roots["gtzan"], {}.get)


def test_check_tells_complete_from_incomplete(tmp_path, monkeypatch, capsys):
    root = task_layouts.write_nsynth(tmp_path)
    assert command.main(["check", "nsynth:pitch", "--root", str(root)]) == 1
    captured = capsys.readouterr()
    assert "train            3     289,205" in captured.out
    assert "incomplete, too few in train, valid, test; where they come from: the NS" in captured.err
    monkeypatch.setattr(nsynth, "EXPECTED", {"train": 3, "valid": 1, "test": 2})
    assert command.main(["check", "nsynth:pitch", "--root", str(root)]) == 0
    assert "complete: no listed item lacks its file, and the counts agree" in capsys.readouterr().out
    (root / "nsynth-train" / "audio" / "reed_acoustic_123-064-075.wav").unlink()
    assert command.main(["check", "nsynth:pitch", "--root", str(root)]) == 1
    captured = capsys.readouterr()
    assert "skipped 1 x missing audio" in captured.out
    assert "incomplete, 1 items; too few in train; where they come from: the NSynth page" in captured.err
    assert "reed_acoustic_123-064-075: missing audio, nsynth-train/audio/reed" in captured.err
    assert command.main(["check", "nsynth:pitch", "--root", str(root / "absent")]) == 1
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(("task", "dataset"), [("mtt", "magnatagatune"), ("gs-key", "giantsteps"),
                                               ("vocalset-singer", "vocalset"), ("gtzan-rhythm", "gtzan")])  # fmt: skip
def test_check_takes_the_names_of_the_configuration(roots, task, dataset, capsys):
    command.main(["check", task, "--root", str(roots[dataset])])
    assert "split" in capsys.readouterr().out
    assert command.main(["check", "gs-kay", "--root", str(roots[dataset])]) == 1
    assert "tasks: no entry 'gs-kay'; did you mean 'gs-key'?" in capsys.readouterr().err


def test_a_split_may_lack_known_faults_but_not_a_hundredth():
    items = [one("train", str(i)) for i in range(442)] + [one("test", "t")] * 290
    data = base.TaskData(items, [], [], {"train": 443, "valid": 197, "test": 293}, [])
    assert checks.short_splits(data) == ["valid", "test"]
    assert checks.short_splits(base.TaskData(items, [], [], None, [])) == []


def test_check_decodes_every_file_on_request(roots, tmp_path, monkeypatch, capsys):
    root = shutil.copytree(roots["gtzan"], tmp_path / "gtzan")
    audio = sorted((root / "genres_original").rglob("*.wav"))
    for path in audio:
        task_layouts.put_wav(path, 20.0)
    monkeypatch.setattr(gtzan, "EXPECTED", {"train": 1, "valid": 1, "test": 1})
    command_line = ["check", "gtzan:genre", "--root", str(root)]
    assert command.main([*command_line, "--audio"]) == 0
    cut, text = root / "genres_original" / "pop" / "pop.00007.wav", root / "genres_original" / "rock" / "rock.00099.wav"
    cut.write_bytes(cut.read_bytes()[:9000])
    text.write_text("<html>not found</html>")
    assert command.main(command_line) == 0
    capsys.readouterr()
    assert command.main([*command_line, "--audio"]) == 1
    captured = capsys.readouterr()
    assert "test             1           1" in captured.out
    assert "genres_original/pop/pop.00007.wav: unreadable audio, " in captured.err
    assert "genres_original/rock/rock.00099.wav: unreadable audio, " in captured.err


def test_options_that_would_be_ignored_are_refused(roots, capsys):
    root = roots["gtzan"]
    assert command.main(["check", "gtzan:rhythm", "--root", str(root), "--option", "anotation=B"]) == 1
    assert (
        "options of gtzan: found 'anotation', expected annotation or min_usable_fraction or min_recording_s"
        in capsys.readouterr().err
    )
    with pytest.raises(UserError, match=r"options of gtzan: found 'crop_s', expected annotation or min_usable_fr"):
        read(root, "gtzan", "rhythm", options={"crop_s": 3.0})
    with pytest.raises(UserError, match=r"options of nsynth: found 'clip_s', expected min_usable_fraction or min_rec"):
        read(root, "nsynth", "pitch", options={"clip_s": 3.0})


def test_check_calls_nothing_complete_that_was_compared_with_nothing(capsys):
    assert command.report(base.TaskData([one()], [], [], None, []), "the shop") == 0
    out = capsys.readouterr().out
    assert "nothing is published that the counts could be compared with" in out
    assert "complete" not in out
    for found, code in ((3_240, 0), (3_239, 1)):
        totals = [base.Total("recordings", found, "about 3,600", 3_240), base.Total("parts", 2, "2", 2)]
        assert command.report(base.TaskData([one()], [], [], None, [], totals), "the shop") == code
        captured = capsys.readouterr()
        assert f"{found:,} recordings, published about 3,600\n2 parts, published 2\n" in captured.out
        assert ("complete: " in captured.out) == (code == 0)
    assert captured.err == "incomplete, only 3,239 recordings, published about 3,600; where they come from: the shop\n"


def test_check_lists_twenty_and_counts_the_rest(capsys):
    skipped = [base.Skip(str(i), base.EMPTY_FILE, "no bytes") for i in range(25)]
    assert command.report(base.TaskData([], [], skipped, None, []), "the shop") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "  ... and 5 more"
