"""NSynth: single notes, with instrument family (11 classes) and pitch (128 MIDI numbers) as targets.

Engel et al., "Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders", ICML 2017. The split is the official
one: instruments of the training part do not appear in the other two, which is checked by name. A class of pitch is the
MIDI number itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..runtime import UserError
from . import base, disk

VERSION = 1
TARGETS = {"instrument": "multiclass", "pitch": "multiclass"}
DEFAULTS: dict[str, Any] = {}
CITATION = """@inproceedings{nsynth2017,
  author = {Engel, Jesse and Resnick, Cinjon and Roberts, Adam and Dieleman, Sander and Norouzi, Mohammad and
            Eck, Douglas and Simonyan, Karen},
  title = {Neural Audio Synthesis of Musical Notes with {WaveNet} Autoencoders},
  booktitle = {International Conference on Machine Learning},
  year = {2017}
}"""
LICENCE = "CC BY 4.0"
SOURCE = "the NSynth page of the Magenta project, archives nsynth-{train,valid,test}.jsonwav.tar.gz"
LAYOUT = "nsynth-{train,valid,test}/examples.json and nsynth-{train,valid,test}/audio/<note>.wav"
EXPECTED = {"train": 289_205, "valid": 12_678, "test": 4_096}
FAMILIES = ["bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal"]


def read(root: Path, target: str, options: dict[str, Any]) -> base.TaskData:
    """Read the notes of the three parts.

    Args:
        root: holds ``nsynth-train/``, ``nsynth-valid/`` and ``nsynth-test/`` as unpacked.
        target: ``instrument`` or ``pitch``.
        options: none.

    Raises:
        UserError: a part or its index is missing or damaged.
    """
    wanted = [f"nsynth-{split}/{name}" for split in base.SPLITS for name in ("examples.json", "audio")]
    disk.require(root, wanted, LAYOUT, SOURCE)
    classes = FAMILIES if target == "instrument" else [str(pitch) for pitch in range(128)]
    column = 0 if target == "instrument" else 1
    draft = base.Draft()
    for split in base.SPLITS:
        part = root / f"nsynth-{split}"
        files = disk.list_audio(root, part / "audio")
        where = str(part / "examples.json")
        notes = _read_index(part / "examples.json")
        for name in sorted(notes):
            label = notes[name][column]
            if type(label) is not int or not 0 <= label < len(classes):
                draft.skip(name, base.UNKNOWN_LABEL, f"{part.name}/examples.json gives {label!r} as {target}", split)
            elif file := draft.audio(files, name.lower(), name, f"{part.name}/audio/{name}.wav", split):
                instrument = name.rsplit("-", 2)[0]  # the rest are pitch and velocity
                draft.keep_apart(f"instrument {instrument!r}", "train" if split == "train" else "valid or test", where)
                draft.add(base.Item(name, split, file.path, 0.0, 0.0, name, label), where)
        known = {name.lower() for name in notes}
        for key in sorted(files.keys() - known):
            draft.skip(key, base.NO_ROW, f"{files[key].path} is not in examples.json")
    return base.TaskData(draft.items, classes, draft.skipped, EXPECTED, [])


def recordings(root: Path) -> list[disk.AudioFile]:
    """Return the notes of the three parts."""
    folders = disk.require(root, [f"nsynth-{split}/audio" for split in base.SPLITS], LAYOUT, SOURCE)
    return [file for folder in folders for file in disk.list_audio(root, folder).values()]


def _read_index(path: Path) -> dict[str, tuple[Any, Any]]:
    """Return note name -> (family id, pitch); each note is cut down while parsing, so memory stays small."""

    def shorten(value: dict[str, Any]) -> Any:
        return (value.get("instrument_family"), value.get("pitch")) if "note_str" in value else value

    try:
        notes = json.loads(disk.read_text(path), object_hook=shorten)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}: not whole JSON at line {error.lineno}, column {error.colno}; the archive was unpacked halfway, "
            "unpack it again"
        ) from None
    if not isinstance(notes, dict) or not all(isinstance(value, tuple) for value in notes.values()):
        raise UserError(f"{path}: found no notes keyed by note_str; take examples.json from the jsonwav archive")
    return notes
