"""What every task promises, for all 13 of them."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import task_layouts

import prepare_task
from musicssl import tasks
from musicssl.config.recipes import Items, Probe, Task, Windows
from musicssl.runtime import UserError
from musicssl.tasks import __main__ as command
from musicssl.tasks import base, gtzan, nsynth

TASKS = [(dataset, target) for dataset in tasks.DATASETS for target in tasks.adapter(dataset).TARGETS]
GOLDEN = Path(__file__).parents[2] / "golden" / "published_splits.csv"


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return {name: write(tmp_path_factory.mktemp(name)) for name, write in task_layouts.WRITERS.items()}


def entry(dataset, target, root, **changes):
    probe = Probe(
        layers="all",
        hidden_size=8,
        dropout=0.0,
        learning_rates=[1e-3],
        batch_size=4,
        max_epochs=1,
        plateau_patience=1,
        stop_patience=1,
        seeds=[0],
        num_bootstraps=2,
    )
    values = {
        "dataset": dataset,
        "target": target,
        "kind": tasks.adapter(dataset).TARGETS[target],
        "metrics": [],
        "windows": Windows(length_s=0.0, min_s=1.0, average="embeddings"),
        "probe": probe,
        "options": {},
        "code_version": 1,
        "root": str(root),
    }
    return Task(**{**values, **changes})


def test_there_are_13_tasks():
    assert len(TASKS) == 13


@pytest.mark.parametrize(("dataset", "target"), TASKS)
def test_items_keep_the_contract(roots, dataset, target):
    root, kind = roots[dataset], tasks.adapter(dataset).TARGETS[target]
    data = tasks.read_task(entry(dataset, target, root), root)
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
    assert data == tasks.read_task(entry(dataset, target, root), root)


@pytest.mark.parametrize("dataset", tasks.DATASETS)
def test_every_dataset_says_what_it_is(dataset):
    module = tasks.adapter(dataset)
    assert "year = {" in module.CITATION
    assert module.CITATION.count("{") == module.CITATION.count("}")
    for text in (module.LICENCE, module.SOURCE, module.LAYOUT):
        assert text
        assert "http" not in text


@pytest.mark.parametrize("row", csv.DictReader(GOLDEN.open()), ids=lambda row: f"{row['dataset']}:{row['target']}")
def test_expected_sizes_are_the_published_ones(roots, row):
    data = tasks.read_dataset(row["dataset"], row["target"], roots[row["dataset"]], {})
    assert data.expected == {split: int(row[split]) for split in base.SPLITS}
    if row["dataset"] != "mtg-jamendo":  # its outputs come from the split files
        assert len(data.classes) == int(row["num_outputs"])
    assert any("differ from the published" in note for note in data.notes)


@pytest.mark.parametrize(("dataset", "target"), TASKS)
def test_missing_root_and_empty_root_name_the_source(tmp_path, dataset, target):
    module = tasks.adapter(dataset)
    with pytest.raises(UserError, match=r"no such folder") as error:
        tasks.read_dataset(dataset, target, tmp_path / "absent", {})
    assert module.SOURCE in str(error.value)
    with pytest.raises(UserError) as error:
        tasks.read_dataset(dataset, target, tmp_path, {})
    assert module.SOURCE in str(error.value)
    assert module.LAYOUT in str(error.value)


def test_unknown_names_are_refused_with_what_is_known(tmp_path):
    with pytest.raises(UserError, match=r"found 'nsinth', expected one of emomusic, giantsteps"):
        tasks.read_dataset("nsinth", "pitch", tmp_path, {})
    with pytest.raises(UserError, match=r"found 'tone', expected one of instrument, pitch"):
        tasks.read_dataset("nsynth", "tone", tmp_path, {})
    with pytest.raises(UserError, match=r"kind of nsynth:pitch: found 'key', expected 'multiclass'"):
        tasks.read_task(entry("nsynth", "pitch", tmp_path, kind="key"), tmp_path)


def test_clip_length_comes_from_the_options_then_the_windows(roots):
    root = roots["vocalset"]
    windows = Windows(length_s=3.5, min_s=1.0, average="predictions")

    def starts(task):
        return {item.start_s for item in tasks.read_task(task, root).items}

    assert starts(entry("vocalset", "technique", root)) == {0.0, 3.0}
    assert starts(entry("vocalset", "technique", root, windows=windows)) == {0.0, 3.5}
    assert starts(entry("vocalset", "technique", root, windows=windows, options={"clip_s": 2.0})) == {0.0, 2.0, 4.0}
    with pytest.raises(UserError, match=r"options.clip_s: found 'long', expected seconds"):
        tasks.read_dataset("vocalset", "technique", root, {"clip_s": "long"})


def one(split="train", key="a", group="g", target=0):
    return base.Item(key, split, "a.wav", 0.0, 0.0, group, target)


def check(items, kind="multiclass", classes=("x", "y"), expected=None, skipped=()):
    data = base.TaskData(list(items), list(classes), list(skipped), expected, [])
    return base.check_items("some:task", data, kind, "the shop")


def test_an_empty_split_an_id_twice_and_a_recording_in_two_splits_are_refused():
    three = [one("train", "1", "1"), one("valid", "2", "2"), one("test", "3", "3")]
    assert check(three, classes=["x"]) == []
    lost = [base.Skip("3", base.MISSING_AUDIO, "3.wav is not there")]
    with pytest.raises(UserError, match=r"no usable item in test \(1 x missing audio, first 3: 3.wav.*from the shop"):
        check(three[:2], skipped=lost)
    with pytest.raises(UserError, match=r"in test \(.*first 3: 3.wav is not there"):
        check(three[:2], skipped=[base.Skip("0", base.PROTOCOL, "left out"), *lost])
    with pytest.raises(UserError, match=r"'1' appears 2 times"):
        check([*three, one("train", "1", "1")])
    with pytest.raises(UserError, match=r"recording '2' is in valid and test"):
        check([*three, one("test", "4", "2")])


def test_absent_classes_and_other_sizes_are_notes():
    items = [one("train", "1", "1", 0), one("train", "2", "2", 1), one("valid", "3", "3", 1), one("test", "4", "4", 1)]
    notes = check(items, expected={"train": 1000, "valid": 1, "test": 1})
    assert notes == [
        "split sizes 2/1/1 differ from the published 1,000/1/1",
        "valid has no item of 1 of 2 classes: x",
        "test has no item of 1 of 2 classes: x",
    ]
    many = [base.Item(item.id, item.split, "a", 0.0, 0.0, item.group, [1, 0]) for item in items]
    assert check(many, kind="multilabel")[0] == "train has no item of 1 of 2 classes: y"
    beats = [base.Item(item.id, item.split, "a", 0.0, 0.0, item.group, [0.5]) for item in items]
    assert check(beats, kind="beats", classes=[]) == []


def test_prepare_task_writes_the_three_files(roots, tmp_path):
    import dataclasses

    task = entry("gtzan", "rhythm", roots["gtzan"], options={"annotation": "A", "crop_s": 10.0})
    items = {field.name: dataclasses.asdict(task)[field.name] for field in dataclasses.fields(Items)}
    job = SimpleNamespace(
        params=SimpleNamespace(
            recipe={"name": "gtzan-rhythm", "digest": "0" * 10, "entry": items}, place={"root": task.root}
        ),
        output=SimpleNamespace(table=str(tmp_path / "items.csv")),
    )
    prepare_task.main(job)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(first) == ["items.csv", "skipped.csv", "task.json"]
    assert not any(b"\r" in content for content in first.values())
    prepare_task.main(job)
    assert first == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    rows = list(csv.DictReader((tmp_path / "items.csv").open()))
    assert list(rows[0]) == ["id", "split", "path", "start_s", "duration_s", "group", "target"]
    assert rows[0]["id"] == "rock.00099"
    assert json.loads(rows[0]["target"]) == [0.5, 1.0, 1.5, 2.0]
    skipped = list(csv.DictReader((tmp_path / "skipped.csv").open()))
    assert [row["item"] for row in skipped] == ["jazz.00054"]
    card = json.loads((tmp_path / "task.json").read_text())
    keys = {"task", "dataset", "kind", "classes", "citation", "licence", "counts", "expected", "notes"}
    assert set(card) == keys
    assert card["counts"] == {"train": 2, "valid": 1, "test": 2}


def test_check_tells_complete_from_incomplete(tmp_path, monkeypatch, capsys):
    root = task_layouts.write_nsynth(tmp_path)
    assert command.main(["check", "nsynth:pitch", "--root", str(root)]) == 1
    captured = capsys.readouterr()
    assert "train            3     289,205" in captured.out
    assert "every listed file is there, but too few in train, valid, test; where they come from: the NS" in captured.err
    monkeypatch.setattr(nsynth, "EXPECTED", {"train": 3, "valid": 1, "test": 2})
    assert command.main(["check", "nsynth:pitch", "--root", str(root)]) == 0
    assert "complete: no listed item lacks its file" in capsys.readouterr().out
    (root / "nsynth-train" / "audio" / "reed_acoustic_123-064-075.wav").unlink()
    assert command.main(["check", "nsynth:pitch", "--root", str(root)]) == 1
    captured = capsys.readouterr()
    assert "skipped 1 x missing audio" in captured.out
    assert "incomplete, 1 items; where they come from: the NSynth page" in captured.err
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
    assert base.short_splits(data) == ["valid", "test"]
    assert base.short_splits(base.TaskData(items, [], [], None, [])) == []


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
    assert "options of gtzan: found 'anotation', expected annotation; correct" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"options of gtzan: found 'crop', expected annotation or crop_s"):
        tasks.read_task(entry("gtzan", "rhythm", root, options={"crop": 3.0}), root)
    with pytest.raises(UserError, match=r"options of gtzan: found 'crop_s', expected annotation; correct"):
        tasks.read_task(entry("gtzan", "genre", root, options={"crop_s": 3.0}), root)
    with pytest.raises(UserError, match=r"options of nsynth: found 'clip_s', expected none"):
        tasks.read_task(entry("nsynth", "pitch", root, options={"clip_s": 3.0}), root)


def test_check_lists_twenty_and_counts_the_rest(capsys):
    skipped = [base.Skip(str(i), base.EMPTY_FILE, "no bytes") for i in range(25)]
    assert command.report(base.TaskData([], [], skipped, None, []), "the shop") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "  ... and 5 more"
