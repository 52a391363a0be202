"""Tagged clips in the layout of MagnaTagATune (Law et al., ISMIR 2009).

Sixteen folders, ``0`` to ``b`` for training, ``c`` for validation, the rest for test; 16 kHz mono MP3; a table that
calls itself csv and is separated by tabs, every cell quoted; one clip without a single byte, as in the archive.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..config.recipes import Miniature
from .folder import fresh_folder
from .scenes import RATE, SCENES, Scene, perform
from .synth import Audio, generator

CLIP_S, CLIP_RATE = 10.0, 16000
FOLDERS = {"train": "0123456789ab", "valid": "c", "test": "def"}
# fmt: off
TAGS = (  # the fifty most frequent ones, and six of the others
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo",
    "man", "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello",
    "no voice", "weird", "country", "metal", "female voice", "choral",
    "electro", "jazz", "disco", "folk", "organ", "trumpet",
)
# fmt: on
SUNG = ("vocal", "vocals", "singing", "voice")
WORDS_OF = {
    "male": (*SUNG, "male", "man", "male vocal", "male voice"),
    "female": (*SUNG, "female", "woman", "female vocal", "female voice"),
    "choir": ("choir", "voice", "vocals", "singing"),
    "synthesizer": ("synth", "electronic"),
    "violin": ("violin", "strings"),
    "cello": ("cello", "strings"),
    "sitar": ("sitar", "strings"),
}
EMPTY = ("35644", "6/norine_braun-now_and_zen-08-gently-117-146.mp3")
INFO = (
    *("clip_id", "track_number", "title", "artist", "album", "url", "segmentStart", "segmentEnd"),
    *("original_url", "mp3_path"),
)


def write(root: Path, miniature: Miniature) -> None:
    """Write clips and tables under ``root``; scenes take turns in every split."""
    counts = dict(zip(FOLDERS, miniature.items["magnatagatune"]))
    rows: list[tuple[object, ...]] = [("clip_id", *TAGS, "mp3_path")]
    info: list[tuple[object, ...]] = [INFO, (99, 1, "never annotated", "x", "y", "", 0, 29, "", "0/x.mp3")]
    with fresh_folder(root, miniature.seed, counts) as folder:
        for split, count in counts.items():
            for index in range(count):
                scene = SCENES[index % len(SCENES)]
                clip = 100 + len(rows)
                home = FOLDERS[split][index % len(FOLDERS[split])]
                title = f"{scene.genres[0]}_{index}"
                who, track = f"{scene.lead}s of {split}", index % 20 + 1
                path = f"{home}/{who.replace(' ', '_')}-collected-{track:02d}-{title}-0-29.mp3"
                _, sound = perform(scene, CLIP_S, generator(miniature.seed, "magnatagatune", split, index))
                folder.audio(path, to_clip_rate(sound), CLIP_RATE)
                rows.append((clip, *(int(tag in words(scene)) for tag in TAGS), path))
                info.append((clip, track, title, who, "Collected", "", 0, 29, "", path))
        folder.data(EMPTY[1], b"")
        rows.append((EMPTY[0], *(0 for _ in TAGS), EMPTY[1]))
        folder.table("annotations_final.csv", rows, quoting=csv.QUOTE_ALL, delimiter="\t")
        folder.table("clip_info_final.csv", info, quoting=csv.QUOTE_ALL, delimiter="\t")


def words(scene: Scene) -> set[str]:
    """Return the tags of a scene: its own words, its instruments, its voices or their absence."""
    found = set(scene.words)
    for name in scene.names:
        found.update(WORDS_OF.get(name, (name,)))
    if "voice" not in found:
        found.update(("no vocals", "no vocal", "no voice"))
    if scene.genres[0] in TAGS:
        found.add(scene.genres[0])
    return found & set(TAGS)


def to_clip_rate(wave: Audio) -> Audio:
    """Return ``wave`` at 16 kHz instead of 22.05 kHz, resampled by its spectrum."""
    n = round(len(wave) * CLIP_RATE / RATE)
    return (np.fft.irfft(np.fft.rfft(wave)[: n // 2 + 1], n) * (n / len(wave))).astype(np.float32)
