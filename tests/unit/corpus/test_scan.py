"""Every file of a corpus is either used or set aside with a reason, whatever it is called or contains."""

import hashlib
import os
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import scan_corpus
from musicssl.artefacts.listing import AudioFile, Rejected, read_files, read_rejected, write_files, write_rejected
from musicssl.corpus.scan import hold_out, scan, share_out
from musicssl.corpus.usable import locate
from musicssl.runtime import UserError
from musicssl.signal import ffmpeg
from musicssl.signal.files import Found, audio_below


def reasons(rejected):
    return {row.file: row.reason for row in rejected}


def test_each_kind_of_bad_file_is_named_with_its_reason(corpus, sound, music):
    sound("good.wav")
    sound("tiny.wav", seconds=0.1)
    sound("cut.wav", seconds=2)
    sound("a/original.flac")
    (music / "b").mkdir()
    (music / "b/copy.flac").write_bytes((music / "a/original.flac").read_bytes())
    (music / "empty.mp3").touch()
    (music / "text.mp3").write_text("no audio " * 500)
    (music / "song.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    (music / "gone.wav").symlink_to(music / "nowhere.wav")
    (music / "folder.wav").mkdir()
    os.mkfifo(music / "pipe.wav")
    (music / "cut.wav").write_bytes((music / "cut.wav").read_bytes()[:20000])
    (music / "cover.jpg").write_bytes(b"ignored")
    files, rejected = scan(corpus(), 2)
    assert [f.file for f in files] == ["a/original.flac", "good.wav"]
    assert reasons(rejected) == {
        "b/copy.flac": "duplicate",
        "cut.wav": "truncated",
        "empty.mp3": "empty",
        "gone.wav": "unreadable",
        "pipe.wav": "unreadable",
        "song.m4a": "not-audio",
        "text.mp3": "not-audio",
        "tiny.wav": "short",
    }
    assert {r.detail for r in rejected if r.reason == "duplicate"} == {"same bytes as a/original.flac"}


def test_further_roots_have_names_of_their_own(corpus, sound, music, tmp_path):
    """The same files in the same splits wherever a further root lies; copies are found across roots."""
    sound("own.wav")
    for folder in ("here", "there"):
        sound(f"../{folder}/a/song.wav", seed=1)
        (tmp_path / folder / "copy.wav").write_bytes((music / "own.wav").read_bytes())
    here, there = (scan(corpus(more_roots={"more": str(tmp_path / name)}), 2) for name in ("here", "there"))
    assert {f.file for f in here[0]} | {r.file for r in here[1]} == {"own.wav", "more/a/song.wav", "more/copy.wav"}
    assert reasons(here[1]) == {"own.wav": "duplicate"}
    assert [(f.file, f.split, f.shard) for f in here[0]] == [(f.file, f.split, f.shard) for f in there[0]]
    assert locate(corpus(more_roots={"more": "/x"}), "more/a/song.wav") == Path("/x/a/song.wav")
    assert locate(corpus(more_roots={"more": "/x"}), "a/more.wav") == music / "a/more.wav"
    with pytest.raises(UserError, match="nowhere: found nothing, expected a folder of audio"):
        scan(corpus(more_roots={"more": str(tmp_path / "nowhere")}), 1)


def test_unreadable_folder_is_set_aside(corpus, sound, music, monkeypatch):
    sound("good.wav")
    (music / "closed").mkdir()
    listed = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    files, rejected = scan(corpus(), 1)
    assert [f.file for f in files] == ["good.wav"]
    assert rejected == [Rejected("closed", "unreadable", "folder: Permission denied")]


def test_odd_names_survive_the_tables(corpus, sound, music, tmp_path):
    odd = [
        "a b.wav",
        'comma, quote".wav',
        "line\nbreak.wav",
        "return\r.wav",
        "ünïcödé 音.WAV",
        "hash#1.wav",
        "-dash.Wav",
    ]
    for i, name in enumerate(odd):
        sound(name, seed=i)
    with open(os.fsencode(music) + b"/latin\xe9.wav", "wb") as stream:
        stream.write(b"x")
    files, rejected = scan(corpus(), 2)
    assert [f.file for f in files] == sorted(odd)
    assert reasons(rejected) == {"latin\\xe9.wav": "name"}
    write_files(tmp_path / "files.csv", files)
    write_rejected(tmp_path / "rejected.csv", rejected)
    assert read_files(tmp_path / "files.csv") == files
    assert read_rejected(tmp_path / "rejected.csv") == rejected


def test_flac_without_a_length_is_measured(corpus, sound, music):
    sound("piped.flac", seconds=1.5)
    data = bytearray((music / "piped.flac").read_bytes())
    data[21] &= 0xF0  # the 36 bits of STREAMINFO that count samples
    data[22:26] = bytes(4)
    (music / "piped.flac").write_bytes(data)
    assert scan(corpus(), 1)[0][0].duration_s == 1.5


def test_wav_written_to_a_pipe_is_usable(corpus, sound, music):
    sound("piped.wav", seconds=1.5)
    data = bytearray((music / "piped.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    (music / "piped.wav").write_bytes(data)
    assert [f.duration_s for f in scan(corpus(), 1)[0]] == [1.5]


def test_linked_folders_are_followed_once(sound, music, tmp_path):
    sound("disc/a.wav")
    sound("../elsewhere/b.wav")
    (music / "linked").symlink_to(tmp_path / "elsewhere")
    (music / "disc/circle").symlink_to(music)
    assert audio_below(music) == Found(["disc/a.wav", "linked/b.wav"], [], {})


@pytest.mark.parametrize(
    ("make", "words"), [(None, "found nothing"), ("file", "found a file"), ("folder", "no audio files")]
)
def test_a_root_without_audio_is_a_sentence(corpus, tmp_path, make, words):
    root = tmp_path / "root"
    if make == "file":
        root.write_text("x")
    elif make:
        root.mkdir()
        (root / "notes.txt").write_text("x")
    with pytest.raises(UserError, match=rf"root: .*{words}.*set root of the corpus"):
        scan(corpus(root=str(root)), 1)


def test_order_of_the_file_system_changes_nothing(corpus, sound, monkeypatch):
    for i in range(12):
        sound(f"{i % 3}/{i}.wav", seconds=0.3 + 0.1 * (i % 4), seed=i)
    first = scan(corpus(), 2)
    walk = os.walk

    def shuffled(*args, **kwargs):
        for folder, subfolders, files in walk(*args, **kwargs):
            random.Random(1).shuffle(files)
            yield folder, subfolders, files

    monkeypatch.setattr(os, "walk", shuffled)
    assert scan(corpus(), 1) == first


def test_another_file_under_the_same_name_is_another_row(corpus, sound, music):
    sound("a.wav", seed=1)
    (first,) = scan(corpus(), 1)[0]
    assert first.sha256 == hashlib.sha256((music / "a.wav").read_bytes()).hexdigest()
    sound("a.wav", seed=2)
    (second,) = scan(corpus(), 1)[0]
    assert replace(second, sha256=first.sha256) == first != second


def test_hold_out_is_a_stable_fraction_and_never_empty():
    names = [f"{i}.wav" for i in range(4000)]
    held = hold_out(names, 0.1, 7)
    assert abs(len(held) - 400) < 4 * np.sqrt(4000 * 0.1 * 0.9)
    assert hold_out(names[:2000], 0.1, 7) == held & set(names[:2000])
    assert hold_out(names, 0.1, 8) != held
    assert len(hold_out(names[:2], 0.0001, 7)) == 1
    assert len(hold_out(names[:2], 0.9999, 7)) == 1
    assert hold_out(names[:1], 0.9999, 7) == set()


def test_shards_are_balanced_and_complete():
    rng = np.random.default_rng(0)
    durations = {f"{i}": float(d) for i, d in enumerate(rng.gamma(4, 60, 500))}
    shards = share_out(durations, 7)
    loads = [sum(durations[n] for n in durations if shards[n] == s) for s in range(7)]
    assert max(loads) - min(loads) <= max(durations.values())
    assert max(loads) < 1.02 * np.mean(loads)
    assert share_out(dict(reversed(durations.items())), 7) == shards
    assert share_out({"b": 1.0, "a": 1.0}, 4) == {"a": 0, "b": 1}


def job(tmp_path, recipe):
    output = SimpleNamespace(files=tmp_path / "out/files.csv", quarantine=tmp_path / "out/scan-quarantine.csv")
    return SimpleNamespace(params=SimpleNamespace(recipe={"entry": vars(recipe)}, place={}), output=output, threads=2)


def test_script_stops_when_too_little_is_usable_and_keeps_the_table(corpus, sound, music, tmp_path, caplog):
    sound("good.wav")
    (music / "bad.wav").write_bytes(b"bad")
    snakemake = job(tmp_path, corpus(min_usable_fraction=0.6))
    with pytest.raises(
        UserError, match=r"1 usable of 2 audio files \(50.0%; 1 not-audio\).*60.0%.*scan-quarantine.csv"
    ):
        scan_corpus.main(snakemake)
    assert reasons(read_rejected(snakemake.output.quarantine)) == {"bad.wav": "not-audio"}
    assert "bad.wav: not-audio" in caplog.text
    assert not snakemake.output.files.exists()
    scan_corpus.main(job(tmp_path, corpus(min_usable_fraction=0.5)))
    digest = hashlib.sha256((music / "good.wav").read_bytes()).hexdigest()
    assert read_files(snakemake.output.files) == [AudioFile("good.wav", 1.0, 16000, 1, 0, "train", digest)]


def test_script_stops_without_any_usable_file(corpus, music, tmp_path):
    (music / "bad.wav").write_bytes(b"bad")
    with pytest.raises(UserError, match="0 usable of 1"):
        scan_corpus.main(job(tmp_path, corpus(min_usable_fraction=0.0)))


def test_every_readable_format_is_found(corpus, sound):
    formats = {"w.wav": {}, "f.FLAC": {}, "v.ogg": {}, "m.mp3": {}, "i.aiff": {}, "u.au": {}, "c.caf": {}, "d.w64": {}}
    formats["o.opus"] = {"format": "OGG", "subtype": "OPUS"}
    for name, options in formats.items():
        sound(name, **options)
    files, rejected = scan(corpus(), 2)
    assert [f.file for f in files] == sorted(formats)
    assert rejected == []
    assert set(soundfile.available_formats()) >= {"WAV", "FLAC", "OGG", "MP3"}


def test_ghosts_are_no_files_and_what_is_passed_over_is_named(corpus, sound, music, caplog):
    caplog.set_level("INFO")
    sound("a.wav")
    for name in ("._a.wav", "__MACOSX/a.wav", "cover.jpg", "list.m3u"):
        (music / name).parent.mkdir(exist_ok=True)
        (music / name).write_bytes(b"\0\5\x16\7")
    files, rejected = scan(corpus(), 1)
    assert ([f.file for f in files], rejected) == (["a.wav"], [])
    assert "music: passed over 2 files: 1 .jpg, 1 .m3u" in caplog.text


def test_what_libsndfile_does_not_read_names_the_ffmpeg_line(corpus, sound, music, monkeypatch):
    monkeypatch.setattr(ffmpeg, "executable", lambda: None)
    sound("a.wav")
    (music / "b c.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(99))
    (row,) = scan(corpus(), 1)[1]
    assert row.reason == "needs-ffmpeg"
    assert row.detail.endswith("ffmpeg -i 'b c.m4a' -map 0:a:0 -c:a flac 'b c.converted.flac'")
