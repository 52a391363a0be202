"""Tagged tracks in the layout of MTG-Jamendo (Bogdanov et al., ICML 2019 workshop), split 0.

One table a subset and split, CRLF line ends, each tag in a column of its own; audio under ``audio-low/NN`` with
``.low`` in its name, which the tables leave out. Artists do not cross splits.
"""

from __future__ import annotations

from pathlib import Path

from ..config.recipes import Miniature
from .folder import Folder, fresh_folder
from .mixing import double_rate
from .scenes import RATE, SCENES, Scene, perform
from .synth import generator

TRACK_S = 12.0
PARTS = {"train": "train", "valid": "validation", "test": "test"}
HEADER = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS")
PREFIXES = {"genre": "genre---", "instrument": "instrument---", "moodtheme": "mood/theme---"}
INSTRUMENT_OF = {"male": "voice", "female": "voice", "choir": "voice", "harpsichord": "keyboard", "sitar": "guitar"}
TOP50 = (  # those of the published fifty that the scenes know
    *(f"genre---{name}" for name in ("ambient", "classical", "dance", "electronic", "experimental", "folk", "funk")),
    *(f"genre---{name}" for name in ("house", "jazz", "metal", "newage", "pop", "rock", "techno")),
    *(f"instrument---{name}" for name in ("bass", "drums", "guitar", "piano", "strings", "synthesizer", "violin")),
    *(f"instrument---{name}" for name in ("keyboard", "voice")),
    *(f"mood/theme---{name}" for name in ("emotional", "energetic", "happy", "relaxing")),
)


def write(root: Path, miniature: Miniature) -> None:
    """Write tracks and the tables of all four subsets under ``root``; scenes take turns in every split."""
    counts = dict(zip(PARTS, miniature.items["mtg-jamendo"]))
    with fresh_folder(root, miniature.seed, counts) as folder:
        for number, (split, count) in enumerate(counts.items()):
            tracks = [write_track(folder, number, index, miniature.seed) for index in range(count)]
            for subset in ("top50tags", *PREFIXES):
                write_table(folder, f"autotagging_{subset}-{PARTS[split]}.tsv", subset, tracks)
        folder.text("data/tags/top50.txt", "".join(f"{tag}\n" for tag in TOP50))


def write_track(folder: Folder, split: int, index: int, seed: int) -> tuple[tuple[str, ...], list[str]]:
    """Write one track; return the first columns of its rows and all of its tags."""
    scene = SCENES[index % len(SCENES)]
    track = 1000 + 10007 * split + 37 * index
    _, sound = perform(scene, TRACK_S, generator(seed, "mtg-jamendo", track))
    home = f"{track % 100:02d}"
    folder.audio(f"audio-low/{home}/{track}.low.mp3", double_rate(sound), 2 * RATE)
    artist = f"artist_{100 * split + index // 2:06d}"
    first = (f"track_{track:07d}", artist, f"album_{100 * split + index // 2:06d}", f"{home}/{track}.mp3", f"{TRACK_S}")
    return first, tags(scene)


def tags(scene: Scene) -> list[str]:
    """Return the prefixed tags of a scene: genres, instruments, moods."""
    instruments = dict.fromkeys(INSTRUMENT_OF.get(name, name) for name in scene.names)
    named = {"genre": scene.genres, "instrument": instruments, "moodtheme": scene.moods}
    return [PREFIXES[subset] + name for subset, names in named.items() for name in names]


def write_table(folder: Folder, name: str, subset: str, tracks: list[tuple[tuple[str, ...], list[str]]]) -> None:
    """Write the tracks that have a tag of ``subset``."""
    rows: list[tuple[str, ...]] = [HEADER]
    for first, all_tags in tracks:
        wanted = TOP50 if subset == "top50tags" else [tag for tag in all_tags if tag.startswith(PREFIXES[subset])]
        mine = [tag for tag in all_tags if tag in wanted]
        if mine:
            rows.append((*first, *mine))
    folder.text(f"data/splits/split-0/{name}", "".join("\t".join(row) + "\r\n" for row in rows))
