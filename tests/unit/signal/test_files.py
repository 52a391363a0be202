"""Which files below a folder are audio files: the same answer for corpora and tasks."""

import logging

from musicssl.signal.files import Found, audio_below, tell_passed


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_what_macos_leaves_behind_is_no_file(tmp_path):
    put(tmp_path, "a.wav", "._a.wav", "__MACOSX/a.wav", "b/__MACOSX/c/._d.mp3", "b/._d.mp3", "b/d.MP3", "b/.DS_Store")
    assert audio_below(tmp_path) == Found(["a.wav", "b/d.MP3"], [], {"": 1})


def test_files_of_other_kinds_are_counted_and_named(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    put(tmp_path, "a.wav", "cover.JPG", "x/cover.jpg", "x/notes", *(f"x.{kind}" for kind in "klmnopqrs"))
    found = audio_below(tmp_path)
    assert found.names == ["a.wav"]
    tell_passed(tmp_path, found)
    assert (
        "passed over 12 files: 2 .jpg, 1 without a suffix, 1 .k, 1 .l, 1 .m, 1 .n, 1 .o, 1 .p, 3 other" in caplog.text
    )


def test_one_folder_alone_lists_nothing_below_it(tmp_path):
    put(tmp_path, "a.wav", "b/c.wav", "d.m4a")
    assert audio_below(tmp_path, deep=False).names == ["a.wav", "d.m4a"]


def test_a_folder_that_is_linked_to_itself_is_listed_once(tmp_path):
    put(tmp_path, "a/b.wav")
    (tmp_path / "a/again").symlink_to(tmp_path / "a")
    (tmp_path / "z").symlink_to(tmp_path)
    assert audio_below(tmp_path).names == ["a/b.wav"]
