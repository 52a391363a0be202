"""Small datasets in the real layouts, written by hand here so that adapters are not tested against themselves."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

FAMILIES = ["bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal"]
SINGERS = [*(f"female{i}" for i in range(1, 10)), *(f"male{i}" for i in range(1, 12))]
GENRES = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]


def put(path: Path, content: str | bytes = b"some bytes") -> Path:
    """Write a small file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


@contextlib.contextmanager
def added(path: Path, line: str) -> Iterator[None]:
    """Let a table have one line more at its end, for a while."""
    text = path.read_text()
    path.write_text(f"{text}{line}\n")
    yield
    path.write_text(text)


def put_wav(path: Path, duration_s: float) -> Path:
    """Write a soft but real wave file (1 kHz, so that minutes cost little)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        str(path), np.resize(np.float32([0.1, -0.1]), round(duration_s * 1000)), 1000, format="WAV", subtype="PCM_U8"
    )
    return path


def nsynth_note(name: str) -> dict[str, object]:
    """Return one entry of examples.json with all keys of the real file, from its note_str."""
    head, pitch, velocity = name.rsplit("-", 2)
    family, source, number = head.rsplit("_", 2)
    return {
        "note": 12345,
        "note_str": name,
        "instrument": int(number),
        "instrument_str": head,
        "pitch": int(pitch),
        "velocity": int(velocity),
        "sample_rate": 16000,
        "qualities": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        "qualities_str": ["dark"],
        "instrument_family": FAMILIES.index(family),
        "instrument_family_str": family,
        "instrument_source": ["acoustic", "electronic", "synthetic"].index(source),
        "instrument_source_str": source,
    }


def write_nsynth(root: Path) -> Path:
    parts = {
        "train": ["reed_acoustic_123-064-075", "synth_lead_synthetic_001-021-127", "bass_electronic_002-120-025"],
        "valid": ["reed_acoustic_009-009-075"],
        "test": ["bass_synthetic_033-060-050", "brass_acoustic_006-061-100"],
    }
    for split, names in parts.items():
        put(root / f"nsynth-{split}" / "examples.json", json.dumps({name: nsynth_note(name) for name in names}))
        for name in names:
            put(root / f"nsynth-{split}" / "audio" / f"{name}.wav")
    return root


def write_giantsteps(root: Path) -> Path:
    """Six songs of the MTG set, two of the test set; see tests/golden/task_hashes.md for the artists' sides."""
    songs = [
        ("9000", "Delta, Golf", "-", "0", 30.0),  # dropped, but makes Delta valid once Golf is
        ("5061", "Alpha", "D# minor", "2", 65.0),  # train
        ("5881", "HOTEL, Golf", "A major ", "2", 90.0),  # Hotel is valid, so Golf follows
        ("7217", "Golf", "F minor", "2", 30.0),
        ("9001", "Delta", "C minor", "2", 20.0),  # shorter than a clip
        ("61578", "Alpha", "C minor / F# minor", "2", 30.0),  # several keys
    ]
    mtg = root / "giantsteps-mtg-key-dataset"
    rows = [f"{song}\t{key}\t{confidence}" for song, _, key, confidence, _ in songs]
    put(mtg / "annotations" / "annotations.txt", "\n".join(["ID\tMANUAL KEY\tC", *rows]) + "\n")
    rows = [f"{song}\t{artist}\tA Title\tOriginal Mix\tLabel\ttechno" for song, artist, *_ in songs]
    header = "ID\tARTIST\tSONG TITLE\tMIX\tLABEL\tBP GENRE"
    put(mtg / "annotations" / "beatport_metadata.txt", "\n".join([header, *rows]) + "\n")
    for song, _, _, _, duration_s in songs:
        put_wav(mtg / "audio" / f"{song}.LOFI.wav", duration_s)
    test = root / "giantsteps-key-dataset"
    for song, key in (("10089", "E minor"), ("61415", "Bb major")):
        put(test / "annotations" / "key" / f"{song}.LOFI.key", key)
        put_wav(test / "audio" / f"{song}.LOFI.wav", 31.0)
    return root


def jams(kinds: dict[str, list[float]]) -> str:
    """Return a JAMS file as GTZAN-Rhythm has them: value and confidence 1.0 whatever the kind of event."""
    layers = [
        {
            "namespace": "beat",
            "annotation_metadata": {"corpus": "GTZAN", "version": "2"},
            "sandbox": {"annotation_type": kind},
            "data": [{"time": time, "duration": 0.0, "value": 1.0, "confidence": 1.0} for time in times],
        }
        for kind, times in kinds.items()
    ]
    tempo = {"namespace": "tempo", "sandbox": {}, "data": [{"time": 0.0, "value": 120.0}]}
    return json.dumps({"annotations": [*layers, tempo], "file_metadata": {"duration": 30.0}, "sandbox": {}})


def write_gtzan(root: Path, tracks: dict[str, Iterable[str]] | None = None) -> Path:
    tracks = tracks or {
        "train": ["rock/rock.00099.wav", "jazz/jazz.00054.wav", "hiphop/hiphop.00001.wav"],
        "valid": ["blues/blues.00042.wav"],
        "test": ["pop/pop.00007.wav", "reggae/reggae.00086.wav"],
    }
    for split, names in tracks.items():
        put(root / f"{split}_filtered.txt", "\n".join(names) + "\n")
        for name in names:
            put(root / "genres_original" / name)
            kinds = {"beat": [0.5, 1.0, 1.5, 2.0], "downbeat": [0.5], "8th-note": [0.5, 0.75, 1.0, 1.25]}
            put(root / "GTZAN-Rhythm" / "jams" / f"{Path(name).name}.jams", jams(kinds))
    return root


def write_magnatagatune(root: Path, whole: bool = False) -> Path:
    """Six clips; ``whole`` adds one with every tag to each part of the split."""
    from musicssl.datasets.magnatagatune import TAGS

    tags = sorted([*TAGS, "electro"])
    clips = [
        ("4711", "7/some_band-an_album-02-a_song-59-88.mp3", {"guitar", "no vocal"}),
        ("35644", "6/norine_braun-now_and_zen-08-gently-117-146.mp3", {"slow"}),
        ("12", "b/band-album-01-song-0-29.mp3", {"electro"}),
        ("13", "c/band-album-02-song-0-29.mp3", {"rock"}),
        ("14", "d/band-album-03-song-0-29.mp3", {"choral"}),
        ("15", "f/band-album-03-song-29-58.mp3", set()),  # a song may lie in two folders, not in two splits
    ]
    if whole:
        clips += [(f"2{i}", f"{folder}/all-tags-0{i}-song-0-29.mp3", set(tags)) for i, folder in enumerate("0ce")]
    lines = ["\t".join(f'"{name}"' for name in ["clip_id", *tags, "mp3_path"])]
    for clip, path, positive in clips:
        marks = ["1" if tag in positive else "0" for tag in tags]
        lines.append("\t".join(f'"{cell}"' for cell in [clip, *marks, path]))
        put(root / path, b"" if clip == "35644" else b"x")
    put(root / "annotations_final.csv", "\n".join(lines) + "\n")
    return root


def write_mtg_jamendo(root: Path, whole: bool = False) -> Path:
    """Three tracks; ``whole`` adds one with every tag to each part of the split."""
    rows = {
        "train": [
            "track_0000042\tartist_000007\talbum_000009\t42/42.mp3\t187.3\tgenre---rock\tgenre---90s\tgenre---jazz\tgenre---folk\tgenre---dub"
        ],
        "validation": ["track_0001100\tartist_000008\talbum_000010\t00/1100.mp3\t60.0\tgenre---pop"],
        "test": ["track_0000242\tartist_000011\talbum_000012\t42/242.mp3\t4140.0\tgenre---rock"],
    }
    if whole:
        tags = "\t".join(f"genre---{tag}" for tag in ("90s", "dub", "folk", "jazz", "pop", "rock"))
        for i, lines in enumerate(rows.values()):
            lines.append(f"track_000500{i}\tartist_00050{i}\talbum_000500\t0{i}/500{i}.mp3\t60.0\t{tags}")
            put(root / "audio-low" / f"0{i}" / f"500{i}.low.mp3")
    for subset, old, new in (
        ("genre", "", ""),
        ("top50tags", "", ""),
        ("instrument", "genre---", "instrument---"),
        ("moodtheme", "genre---", "mood/theme---"),
    ):
        for part, lines in rows.items():
            text = "\r\n".join(["TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS", *lines]) + "\r\n"
            path = root / "data" / "splits" / "split-0" / f"autotagging_{subset}-{part}.tsv"
            put(path, text.replace(old, new) if old else text)
    for name in ("42/42.low.mp3", "00/1100.low.mp3", "42/242.low.mp3"):
        put(root / "audio-low" / name)
    return root


def write_emomusic(root: Path) -> Path:
    songs = [
        (2, "The 39 Steps", "development", 3.0, 4.0),  # "the steps", train
        (3, "Alpha", "development", 5.0, 6.0),  # valid
        (17, "Golf", "development", 7.0, 5.0),  # train
        (1000, "Alpha", "evaluation", 4.0, 4.5),
    ]
    info = "song_id,file_name,Artist,Song title,start of the segment (min.sec),end of the segment (min.sec),Genre"
    rows = [f'{n},{n}.mp3,"{artist}\t"," A, Song",1.3,2.15,Jazz,{part}\t' for n, artist, part, _, _ in songs]
    put(root / "songs_info.csv", "\n".join([info + ",Mediaeval 2013 set", *rows]) + "\n")
    rows = [f"{n},{arousal},1.1,{valence},1.4" for n, _, _, arousal, valence in songs]
    header = "song_id,mean_arousal,std_arousal,mean_valence,std_valence"
    put(root / "static_annotations.csv", "\n".join([header, *rows]) + "\n")
    for song, *_ in songs:
        put(root / "clips_45seconds" / f"{song}.mp3")
    return root


def write_vocalset(
    root: Path, home: str = "FULL", singers: Sequence[str] = ("female1", "female4", "female2", "male11")
) -> Path:
    for singer in singers:
        prefix = singer[0] + singer.removeprefix("female").removeprefix("male")
        for context, technique, vowel in (
            ("scales", "vibrato", "o"),
            ("scales", "belt", "a"),
            ("scales", "fast_forte", "a"),
            ("long_tones", "straight", "e"),
            ("excerpts", "lip_trill", "row"),
        ):
            name = f"{prefix}_{context}_{technique}_{vowel}.wav"
            put_wav(root / home / singer / context / technique / name, 7.0)
    put_wav(root / home / "male11" / "scales" / "trill" / "m11_scales_trill_u.wav", 2.0)
    return root


def read_dataset(dataset: str, target: str, root: Path, options: dict[str, object] | None = None):
    """Read one target as the checks of :mod:`musicssl.tasks` let it pass, an item a recording."""
    from musicssl.tasks.prepare import checked, read_target

    return checked(dataset, target, read_target(dataset, target, root, options or {}))


WRITERS = {
    "nsynth": write_nsynth,
    "giantsteps": write_giantsteps,
    "gtzan": write_gtzan,
    "magnatagatune": partial(write_magnatagatune, whole=True),
    "mtg-jamendo": partial(write_mtg_jamendo, whole=True),
    "emomusic": write_emomusic,
    "vocalset": partial(write_vocalset, singers=SINGERS),
}
