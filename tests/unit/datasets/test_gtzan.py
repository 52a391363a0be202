"""GTZAN: spellings, split lists, and both beat annotations."""

from __future__ import annotations

import json
import shutil

import pytest
from task_layouts import GENRES, jams, put, read_dataset, write_gtzan

from musicssl.datasets import base, gtzan
from musicssl.runtime import UserError


@pytest.fixture
def root(tmp_path):
    return write_gtzan(tmp_path)


def read(root, target="genre", annotation="A"):
    return gtzan.read(root, target, {"annotation": annotation})


def reasons(data):
    return {skip.item: skip.reason for skip in data.skipped}


def test_genres_in_alphabetical_order(root):
    data = read(root)
    assert data.classes == GENRES == sorted(GENRES)
    assert {item.id: data.classes[item.target] for item in data.items} == {
        "rock.00099": "rock",
        "hiphop.00001": "hiphop",
        "blues.00042": "blues",
        "pop.00007": "pop",
        "reggae.00086": "reggae",
    }


def test_the_corrupt_clip_is_skipped_with_a_warning(root, caplog):
    assert reasons(read(root)) == {"jazz.00054": base.KNOWN_FAULT}
    assert "jazz.00054 skipped" in caplog.text
    assert reasons(read(root, "rhythm")) == {"jazz.00054": base.KNOWN_FAULT}


@pytest.mark.parametrize("folder", ["Data/genres_original", "genres"])
def test_other_places_and_spellings_are_found(root, folder):
    (root / folder).parent.mkdir(exist_ok=True)
    shutil.move(root / "genres_original", root / folder)
    hiphop = root / folder / "hiphop"
    (hiphop / "hiphop.00001.wav").rename(hiphop / "hip-hop.00001.AU")
    hiphop.rename(root / folder / "hip-hop")
    put(root / folder / "rock" / "._rock.00099.wav")
    path = root / "train_filtered.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n").replace(b"hiphop", b"hip-hop"))
    data = read(root)
    assert len(data.items) == 5
    assert data.items[1].id == "hiphop.00001"
    assert data.items[1].path == f"{folder}/hip-hop/hip-hop.00001.AU"


def test_half_downloads_are_told_clip_by_clip(root):
    (root / "genres_original" / "rock" / "rock.00099.wav").unlink()
    (root / "genres_original" / "pop" / "pop.00007.wav").write_bytes(b"")
    assert reasons(read(root)) == {
        "rock.00099": base.MISSING_AUDIO,
        "jazz.00054": base.KNOWN_FAULT,
        "pop.00007": base.EMPTY_FILE,
    }


@pytest.mark.parametrize("line", ["polka/polka.00001.wav", "rock.wav", "rock/rock.0099.wav"])
def test_foreign_lines_are_refused_by_row(root, line):
    put(root / "valid_filtered.txt", f"blues/blues.00042.wav\n{line}\n")
    with pytest.raises(UserError, match=r"valid_filtered.txt: row 2: found '.*', expected a line such as"):
        read(root)


def test_a_clip_in_two_lists_and_an_empty_list_are_refused(root):
    put(root / "test_filtered.txt", "blues/blues.00042.wav\n")
    with pytest.raises(
        UserError,
        match=r"/test_filtered.txt: row 1: recording 'blues.00042' is in test, and in valid by .*valid_.*: row 1, ",
    ):
        read_dataset("gtzan", "genre", root, {})
    put(root / "valid_filtered.txt", "blues/blues.00042.wav\n\nblues/blues.00042.wav\n")
    with pytest.raises(UserError, match=r"valid_filtered.txt: row 3: 'blues.00042' is listed a second time, .*: row 1"):
        read_dataset("gtzan", "genre", root, {})
    put(root / "valid_filtered.txt", "blues/blues.00042.wav\n")
    put(root / "test_filtered.txt", "\r\n")
    with pytest.raises(UserError, match=r"no usable item in test"):
        read_dataset("gtzan", "genre", root, {})


def test_beats_leave_downbeats_and_eighth_notes_alone(root):
    data = read(root, "rhythm")
    assert [item.target for item in data.items] == [[0.5, 1.0, 1.5, 2.0]] * 5
    assert data.classes == []


def test_jams_are_found_wherever_the_archive_was_unpacked(root):
    deep = root / "GTZAN-Rhythm_v2_ismir2015_lbd_2015-10-28" / "GTZAN-Rhythm" / "jams"
    deep.parent.mkdir(parents=True)
    shutil.move(root / "GTZAN-Rhythm" / "jams", deep)
    put(root / "__MACOSX" / "rock.00099.wav.jams", "no json")
    put(deep / "._rock.00099.wav.jams", "no json")
    assert len(read(root, "rhythm").items) == 5


def test_a_clip_without_beats_is_skipped(root):
    folder = root / "GTZAN-Rhythm" / "jams"
    put(folder / "rock.00099.wav.jams", jams({"beat": [], "downbeat": [1.0]}))
    put(folder / "pop.00007.wav.jams", jams({"downbeat": [1.0]}))
    (folder / "hiphop.00001.wav.jams").unlink()
    found = reasons(read(root, "rhythm"))
    assert [found[key] for key in ("rock.00099", "pop.00007", "hiphop.00001")] == [base.MISSING_ANNOTATION] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JAMS file"),
        ("[]", "not a JAMS file"),
        ('{"annotations": [{"namespace": "beat"}]}', None),
        (jams({"beat": [-0.5]}), "negative"),
        (jams({"beat": [0.5]}).replace('{"annotation_type": "beat"}', '"beat"'), "the sandbox 'beat'"),
        (
            json.dumps({"annotations": json.loads(jams({"beat": [1.0]}))["annotations"] * 2}),
            "2 annotations of type beat",
        ),
    ],
)
def test_damaged_jams_are_refused_by_name(root, text, message):
    path = put(root / "GTZAN-Rhythm" / "jams" / "rock.00099.wav.jams", text)
    if message is None:
        assert gtzan.read_jams(path) == []
        return
    with pytest.raises(UserError, match=rf"rock.00099.wav.jams: .*{message}"):
        read(root, "rhythm")


def test_upper_case_annotations_are_found(root):
    for path in (root / "GTZAN-Rhythm" / "jams").iterdir():
        path.rename(path.with_name(path.name.upper()))
    assert len(read(root, "rhythm").items) == 5


def test_clips_of_no_list_are_left_out_by_name(root):
    put(root / "genres_original" / "rock" / "rock.00001.wav")
    assert reasons(read(root)) == {"jazz.00054": base.KNOWN_FAULT, "rock.00001": base.PROTOCOL}


def test_annotation_b_reads_the_first_column(root):
    for genre, number in (("rock", "00099"), ("hiphop", "00001"), ("blues", "00042"), ("reggae", "00086")):
        put(root / "gtzan_tempo_beat" / "beats" / f"gtzan_{genre}_{number}.beats", "1.25\t2\r\n0.75\t1\n\n1.75\n")
    data = read(root, "rhythm", "B")
    assert data.items[0].target == [0.75, 1.25, 1.75]
    assert reasons(data)["pop.00007"] == base.MISSING_ANNOTATION
    put(root / "gtzan_tempo_beat" / "beats" / "gtzan_rock_00099.beats", "0.5\t1\none\t2\n")
    with pytest.raises(
        UserError, match=r"gtzan_rock_00099.beats: row 2: found 'one\\t2', expected seconds.*as published"
    ):
        read(root, "rhythm", "B")


def test_missing_annotations_name_what_to_fetch(root):
    with pytest.raises(UserError, match=r"missing \*.beats of beat annotation B.*TempoBeatDownbeat"):
        read(root, "rhythm", "B")
    with pytest.raises(UserError, match=r"options.annotation: found 'C', expected 'A'"):
        read(root, "rhythm", "C")
