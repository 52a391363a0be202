"""VocalSet: folders rule, the triple copy of version 1.2, duplicates and both splits."""

from __future__ import annotations

import itertools
import shutil

import pytest
from task_layouts import put, put_wav, write_vocalset

from musicssl.runtime import UserError
from musicssl.tasks import base, read_dataset, vocalset


@pytest.fixture
def root(tmp_path):
    return write_vocalset(tmp_path)


def read(root, target="technique"):
    return vocalset.read(root, target, {"clip_s": 3.0})


def labels(data):
    return {item.group: data.classes[item.target] for item in data.items}


def test_the_fixed_singers_of_the_technique_split():
    train = set(vocalset.SINGERS) - set(vocalset.VALID_SINGERS) - set(vocalset.TEST_SINGERS)
    assert len(vocalset.SINGERS) == 20
    assert (len(train), len(vocalset.VALID_SINGERS)) == (9, 6)
    assert vocalset.TEST_SINGERS == ("f2", "f8", "m3", "m5", "m10")


def test_technique_reads_ten_of_the_folders(root):
    data = read(root)
    assert set(labels(data).values()) == {"vibrato", "belt", "straight", "lip_trill"}
    splits = {item.group.split("/")[0]: item.split for item in data.items}
    assert splits == {"female1": "train", "female4": "valid", "female2": "test", "male11": "valid"}
    protocol = [skip.item for skip in data.skipped if skip.reason == base.PROTOCOL]
    assert "female1/scales/fast_forte" in protocol
    assert "male11/scales/trill/m11_scales_trill_u" in protocol  # 2 s


def test_segments_of_a_recording_share_its_group(root):
    items = [item for item in read(root).items if item.group == "female1/scales/belt/f1_scales_belt_a"]
    assert [(item.id[-2:], item.start_s, item.duration_s) for item in items] == [("#0", 0.0, 3.0), ("#1", 3.0, 3.0)]


def test_singer_and_technique_come_from_the_folders(root):
    put_wav(root / "FULL" / "male11" / "excerpts" / "vibrato" / "m9_caro_vibrato.wav", 4.0)
    put_wav(root / "FULL" / "female4" / "long_tones" / "straight" / "straight_a.WAV", 4.0)
    put_wav(root / "FULL" / "female2" / "arpeggios" / "vibrado" / "slow_vibrato_arps.wav", 4.0)
    put_wav(root / "FULL" / "female2" / "long_tones" / "trillo" / "f6_ long_trillo_a.wav", 4.0)
    singers, techniques = labels(read(root, "singer")), labels(read(root))
    assert singers["male11/excerpts/vibrato/m9_caro_vibrato"] == "m11"
    assert singers["female4/long_tones/straight/straight_a"] == "f4"
    assert techniques["female2/arpeggios/vibrado/slow_vibrato_arps"] == "vibrato"
    assert singers["female2/long_tones/trillo/f6_ long_trillo_a"] == "f2"


def test_second_copies_macos_leftovers_and_strange_folders_are_left_out(root):
    folder = root / "FULL" / "female2" / "scales" / "vibrato"
    put_wav(folder / "f2_scales_vibrato_o(1).wav", 7.0)
    put_wav(folder / "f2_scales_vibrato_e(1).wav", 7.0)  # the only copy
    put(folder / "._f2_scales_vibrato_o.wav")
    put(folder / ".DS_Store")
    put(root / "__MACOSX" / "FULL" / "female2" / "scales" / "vibrato" / "._f2_scales_vibrato_o.wav")
    put(root / "FULL" / "female2" / "scales" / "yodel" / "f2_scales_yodel_a.wav")
    put(folder / "f2_scales_vibrato_i.wav", b"")
    put(folder / "f2_scales_vibrato_u.wav", b"RIFF half a header")
    data = read(root)
    where = "female2/scales/vibrato/f2_scales_vibrato"
    odd = {skip.item: skip.reason for skip in data.skipped if skip.reason not in (base.PROTOCOL, base.MISSING_AUDIO)}
    assert odd == {
        f"{where}_o(1)": base.KNOWN_FAULT,
        "female2/scales/yodel": base.UNKNOWN_LABEL,
        f"{where}_i": base.EMPTY_FILE,
        f"{where}_u": base.UNREADABLE,
    }
    assert f"{where}_e(1)" in labels(data)


def test_the_triple_copy_is_read_once(root):
    before = read(root)
    shutil.copytree(root / "FULL", root / "data_by_technique" / "belt")
    shutil.copytree(root / "FULL", root / "data_by_vowel")
    (root / "FULL").rename(root / "data_by_singer")
    after = read(root)
    assert [item.id for item in after.items] == [item.id for item in before.items]
    assert all(item.path.startswith("data_by_singer/") for item in after.items)
    assert len(read(root / "data_by_singer").items) == len(before.items)


def test_singer_split_has_every_singer_in_every_part(tmp_path):
    for singer in ("female1", "male11"):
        for i in range(25):
            put_wav(tmp_path / "FULL" / singer / "scales" / "pp" / f"{i}.wav", 4.0)
    data = read(tmp_path, "singer")
    for label in ("f1", "m11"):
        splits = [item.split for item in data.items if data.classes[item.target] == label]
        assert [splits.count(split) for split in base.SPLITS] == [12, 8, 5]
    order = [item.split for item in data.items[:25]]
    assert sum(a != b for a, b in itertools.pairwise(order)) > 2  # drawn, not cut in order of names


def test_a_half_unpacked_archive_is_told_by_its_missing_singers(root):
    missing = {skip.item: skip.detail for skip in read(root).skipped if skip.reason == base.MISSING_AUDIO}
    assert set(missing) == {*(f"f{i}" for i in (3, 5, 6, 7, 8, 9)), *(f"m{i}" for i in range(1, 11))}
    assert missing["m10"] == "FULL/male10 is not there"


def test_files_outside_a_technique_are_named(root):
    put_wav(root / "FULL" / "female1" / "scales" / "a.wav", 4.0)
    put_wav(root / "FULL" / "female1" / "b.wav", 4.0)
    odd = [skip.item for skip in read(root).skipped if skip.reason == base.NO_ROW]
    assert odd == ["FULL/female1/b.wav", "FULL/female1/scales/a.wav"]


def test_no_singer_folder_is_refused(tmp_path):
    put(tmp_path / "FULL" / "readme.txt")
    with pytest.raises(UserError, match=r"no folder of a singer; expected below it: FULL/<female1"):
        read_dataset("vocalset", "singer", tmp_path, {})
