"""GTZAN: ten genres, and the beats of GTZAN-Rhythm, both under the fault-filtered split.

Tzanetakis & Cook 2002 (audio); Kereliuk, Sturm & Larsen 2015 (split, 443/197/290); Marchand, Fresnel & Peeters 2015
(beats). ``jazz.00054`` cannot be decoded in the copy most people have and is always skipped, so 442 clips train.
"""

from __future__ import annotations

import json
import logging
import math
import re
from pathlib import Path
from typing import Any

from ..runtime import UserError
from . import base, disk

logger = logging.getLogger(__name__)
VERSION = 1
TARGETS = {"genre": "multiclass", "rhythm": "beats"}
DEFAULTS: dict[str, Any] = {"annotation": "A"}
CITATION = """@article{gtzan2002,
  author = {Tzanetakis, George and Cook, Perry},
  title = {Musical Genre Classification of Audio Signals},
  journal = {IEEE Transactions on Speech and Audio Processing},
  volume = {10}, number = {5}, pages = {293--302}, year = {2002}
}
@article{gtzanfiltered2015,
  author = {Kereliuk, Corey and Sturm, Bob L. and Larsen, Jan},
  title = {Deep Learning and Music Adversaries},
  journal = {IEEE Transactions on Multimedia},
  volume = {17}, number = {11}, pages = {2059--2071}, year = {2015}
}
@inproceedings{gtzanrhythm2015,
  author = {Marchand, Ugo and Fresnel, Quentin and Peeters, Geoffroy},
  title = {{GTZAN-Rhythm}: Extending the {GTZAN} Test-Set with Beat, Downbeat and Swing Annotations},
  booktitle = {Late-Breaking Demo, International Society for Music Information Retrieval Conference},
  year = {2015}
}"""
LICENCE = "none stated, neither for the audio nor for the beat annotations"
SOURCE = (
    "audio: Kaggle 'GTZAN Dataset - Music Genre Classification'; split lists: folder gtzan of the GitHub repository "
    "coreyker/dnn-mgr; beats A: IRCAM's archive GTZAN-Rhythm_v2_ismir2015_lbd; beats B: the GitHub repository "
    "TempoBeatDownbeat/gtzan_tempo_beat"
)
LAYOUT = (
    "genres_original/<genre>/<genre>.NNNNN.wav (or Data/genres_original or genres), train_filtered.txt, "
    "valid_filtered.txt, test_filtered.txt; for rhythm any folder with <genre>.NNNNN.wav.jams (annotation A) or "
    "gtzan_<genre>_NNNNN.beats (annotation B)"
)
EXPECTED = {"train": 443, "valid": 197, "test": 290}
GENRES = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
FOLDERS = ("genres_original", "Data/genres_original", "genres")
CORRUPT = "jazz.00054"
TRACK = re.compile(r"([a-z][a-z-]*)[._](\d{5})(?!\d)")


def read(root: Path, target: str, options: dict[str, Any]) -> base.TaskData:
    """Read the fault-filtered clips.

    Args:
        root: holds the audio folder, the three lists and, for rhythm, the beat annotations.
        target: ``genre`` or ``rhythm`` (beat times in seconds).
        options: ``annotation``, ``A`` (JAMS of IRCAM) or ``B`` (``.beats`` files); rhythm only.

    Raises:
        UserError: something is missing, or a list or annotation is damaged.
    """
    lists = [f"{split}_filtered.txt" for split in base.SPLITS]
    audio, *lists_found = disk.require(root, [FOLDERS, *lists], LAYOUT, SOURCE)
    files = _list_tracks(root, audio)
    beats = _find_beats(root, str(options["annotation"])) if target == "rhythm" else {}
    draft, listed = base.Draft(), set()
    for split, path in zip(base.SPLITS, lists_found):
        for row, line in disk.read_lines(path):
            track = track_id(line)
            genre = track.split(".")[0] if track else ""
            if track is None or genre not in GENRES:
                raise UserError(
                    f"{path}: row {row}: found {line!r}, expected a line such as rock/rock.00099.wav; "
                    "take the list as published"
                )
            listed.add(track)
            if track == CORRUPT:
                logger.warning("%s skipped: its audio cannot be decoded in the common copy", CORRUPT)
                draft.skip(track, base.KNOWN_FAULT, "cannot be decoded in the common copy", split)
                continue
            if not (file := draft.audio(files, track, track, f"{genre}/{track}.wav", split)):
                continue
            value: int | list[float] | None = GENRES.index(genre)
            if target == "rhythm":
                value = _read_beats(draft, track, beats.get(track), split)
            if value is not None:
                draft.add(base.Item(track, split, file.path, 0.0, 0.0, track, value), f"{path}: row {row}")
    for track in sorted(files.keys() - listed):
        draft.skip(track, base.PROTOCOL, f"{files[track].path} is in none of the three lists")
    notes = [f"beats of annotation {options['annotation']}"] if target == "rhythm" else []
    return base.TaskData(draft.items, [] if target == "rhythm" else GENRES, draft.skipped, EXPECTED, notes)


def recordings(root: Path) -> list[disk.AudioFile]:
    """Return the clips of the genre folders, those in none of the three lists too, without the corrupt one."""
    (audio,) = disk.require(root, [FOLDERS], LAYOUT, SOURCE)
    return [file for track, file in _list_tracks(root, audio).items() if track != CORRUPT]


def track_id(text: str) -> str | None:
    """Return ``genre.NNNNN`` of a track however spelt (``hip-hop``, ``gtzan_blues_00042.beats``), else None."""
    name = text.replace("\\", "/").rsplit("/", 1)[-1].lower().removeprefix("gtzan_")
    match = TRACK.match(name)
    return f"{match[1].replace('-', '')}.{match[2]}" if match else None


def _list_tracks(root: Path, folder: Path) -> dict[str, disk.AudioFile]:
    """Return track -> audio file of the genre folders."""
    tracks = {}
    for genre in sorted(path for path in folder.iterdir() if path.is_dir()):
        for key, file in sorted(disk.list_audio(root, genre).items()):
            if track := track_id(key):
                tracks[track] = file
    return tracks


def _find_beats(root: Path, annotation: str) -> dict[str, Path]:
    """Return track -> annotation file, wherever below ``root`` the archive was unpacked."""
    if annotation not in ("A", "B"):
        raise UserError(f"options.annotation: found {annotation!r}, expected 'A' (JAMS) or 'B' (.beats)")
    suffix = ".jams" if annotation == "A" else ".beats"
    found = {}
    for path in sorted(path for path in root.rglob("*.*") if path.suffix.lower() == suffix):
        hidden = path.name.startswith(".") or "__MACOSX" in path.parts
        if not hidden and (track := track_id(path.name)):
            found[track] = path
    if not found:
        raise UserError(
            f"{root}: missing *{suffix} of beat annotation {annotation}; expected below it: {LAYOUT}. "
            f"Where it comes from: {SOURCE}"
        )
    return found


def _read_beats(draft: base.Draft, track: str, path: Path | None, split: str) -> list[float] | None:
    """Return sorted beat times, None after recording why there are none."""
    if path is None:
        draft.skip(track, base.MISSING_ANNOTATION, "no beat file of that name", split)
        return None
    times = sorted(read_jams(path) if path.suffix.lower() == ".jams" else read_beat_lines(path))
    if not times:
        draft.skip(track, base.MISSING_ANNOTATION, f"{path.name} holds no beats", split)
        return None
    return times


def read_jams(path: Path) -> list[float]:
    """Return the beat times of a GTZAN-Rhythm JAMS file.

    Beats, downbeats and, in swinging clips, eighth notes share the ``beat`` namespace, and ``value`` is always 1: only
    ``sandbox.annotation_type`` tells them apart.
    """
    try:
        layers = json.loads(disk.read_text(path))["annotations"]
        beats = [
            layer["data"] for layer in layers if layer["namespace"] == "beat" and _annotation_type(layer) == "beat"
        ]
        times = [float(event["time"]) for data in beats for event in data]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a JAMS file with beats ({error!r}); unpack the archive again") from None
    if len(beats) > 1:
        raise UserError(f"{path}: {len(beats)} annotations of type beat, expected one; take the file as published")
    return _finite(times, path)


def _annotation_type(layer: dict[str, Any]) -> Any:
    """Return what kind of events an annotation's sandbox says it holds, None where it says nothing."""
    sandbox = layer.get("sandbox") or {}
    if not isinstance(sandbox, dict):
        raise ValueError(f"found the sandbox {sandbox!r}, expected a mapping with annotation_type")
    return sandbox.get("annotation_type")


def read_beat_lines(path: Path) -> list[float]:
    """Return the first column of a ``.beats`` file (seconds, then the optional place in the bar)."""
    times = []
    for row, line in disk.read_lines(path):
        try:
            times.append(float(line.split()[0]))
        except ValueError:
            raise UserError(
                f"{path}: row {row}: found {line!r}, expected seconds, tab, beat number; take the file as published"
            ) from None
    return _finite(times, path)


def _finite(times: list[float], path: Path) -> list[float]:
    if not all(math.isfinite(time) and time >= 0 for time in times):
        raise UserError(f"{path}: a beat time is negative or not finite; take the file as published")
    return times
