"""Genre templates: tempo, harmony, instruments and patterns that a composer draws from.

A pattern is one bar of sixteenths: ``x`` sounds, ``.`` rests; in a bass digits are chord steps (``8`` is the octave). A
progression is one chord a bar, in semitones above the tonic with a name of :data:`QUALITIES`.
"""

from __future__ import annotations

from dataclasses import dataclass

QUALITIES = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "5": (0, 7, 12),
}
Progression = tuple[tuple[int, str], ...]


def chords(text: str) -> Progression:
    """Return a progression from words such as ``0:maj 7:7``."""
    pairs = (word.split(":") for word in text.split())
    return tuple((int(root), quality) for root, quality in pairs)


POP_MAJOR = (
    chords("0:maj 7:maj 9:min 5:maj"),
    chords("0:maj 9:min 5:maj 7:maj"),
    chords("0:maj 5:maj 7:maj 0:maj"),
    chords("9:min 5:maj 0:maj 7:maj"),
)
POP_MINOR = (
    chords("0:min 8:maj 3:maj 10:maj"),
    chords("0:min 5:min 7:maj 0:min"),
    chords("0:min 10:maj 8:maj 7:maj"),
    chords("0:min 8:maj 5:min 7:maj"),
)
BLUES = (chords("0:7 0:7 0:7 0:7 5:7 5:7 0:7 0:7 7:7 5:7 0:7 7:7"), chords("0:7 5:7 0:7 7:7"))
JAZZ_MAJOR = (chords("2:min7 7:7 0:maj7 9:min7"), chords("0:maj7 9:min7 2:min7 7:7"))
JAZZ_MINOR = (chords("2:dim 7:7 0:min7 0:min7"), chords("0:min7 5:min7 10:7 3:maj7"))
CADENCES_MAJOR = (chords("0:maj 5:maj 7:7 0:maj"), chords("0:maj 2:min 7:7 0:maj"), chords("0:maj 9:min 2:min 7:7"))
CADENCES_MINOR = (chords("0:min 5:min 7:7 0:min"), chords("0:min 8:maj 2:dim 7:7"))
RIFFS = (chords("0:5 0:5 3:5 5:5"), chords("0:5 8:5 10:5 0:5"), chords("0:5 1:5 0:5 10:5"))
LOOPS_MINOR = (chords("0:min 0:min 10:maj 8:maj"), chords("0:min7 5:min7"), chords("0:min 8:maj"), *POP_MINOR)
LOOPS_MAJOR = (chords("0:maj 5:maj"), chords("0:maj7 9:min7"), *POP_MAJOR)

BACKBEAT = ("x.......x.......", "....x.......x...", "x.x.x.x.x.x.x.x.")
FOUR_FLOOR = ("x...x...x...x...", "....x.......x...", "..x...x...x...x.")


@dataclass(frozen=True, kw_only=True)
class Style:
    """What a composer may do in one genre.

    Attributes:
        bpm: range of tempi.
        minor: probability of a minor key.
        major_progressions, minor_progressions: chords a bar, to choose from.
        beats_per_bar: 3 or 4; patterns are cut to that many beats.
        swing: range of the place of the off-beat in its beat, 0.5 is straight.
        loose_s: standard deviation of onsets around the grid.
        drift: relative standard deviation of successive beat lengths.
        drums: patterns of kick, snare and hat, or empty.
        comp: patterns of the chords; ``comp_hold`` is their length in sixteenths.
        bass: patterns of the bass, or empty.
        lead_density: probability of a melody note on an eighth; 0 is no melody.
        lead_low: lowest pitch of the melody, which spans two octaves.
        comp_families, bass_families, lead_families: instruments to choose from.
        drive: gain before saturation; 0 is clean.
        gain: of drums, bass, chords and lead.
    """

    bpm: tuple[float, float]
    minor: float
    major_progressions: tuple[Progression, ...] = POP_MAJOR
    minor_progressions: tuple[Progression, ...] = POP_MINOR
    beats_per_bar: int = 4
    swing: tuple[float, float] = (0.5, 0.5)
    loose_s: float = 0.006
    drift: float = 0.004
    drums: tuple[tuple[str, str, str], ...] = (BACKBEAT,)
    comp: tuple[str, ...] = ("x...............",)
    comp_hold: int = 14
    bass: tuple[str, ...] = ("1...1...1...1...",)
    lead_density: float = 0.5
    lead_low: int = 60
    comp_families: tuple[str, ...] = ("guitar", "keyboard")
    bass_families: tuple[str, ...] = ("bass",)
    lead_families: tuple[str, ...] = ("vocal", "guitar")
    drive: float = 0.0
    gain: tuple[float, float, float, float] = (0.8, 0.7, 0.5, 0.6)


GENRES = {
    "blues": Style(
        bpm=(70, 130),
        minor=0.2,
        major_progressions=BLUES,
        minor_progressions=(chords("0:min7 5:min7 0:min7 7:7"),),
        swing=(0.6, 0.68),
        loose_s=0.012,
        drums=(
            ("x.......x.x.....", "....x.......x...", "x.x.x.x.x.x.x.x."),
            ("", "....x.......x...", "x...x...x...x..."),
        ),
        comp=("x..x....x..x....", "..x...x...x...x.", "x..............."),
        comp_hold=3,
        bass=("1...3...5...3...", "1...5...8...5..."),
        lead_families=("guitar", "vocal", "reed"),
        drive=1.5,
    ),
    "classical": Style(
        bpm=(70, 140),
        minor=0.4,
        major_progressions=CADENCES_MAJOR,
        minor_progressions=CADENCES_MINOR,
        loose_s=0.015,
        drift=0.015,
        drums=(),
        comp=("x.x.x.x.x.x.x.x.", "x...............", "x.......x......."),
        comp_hold=7,
        bass=("1.......5.......", "1..............."),
        lead_density=0.6,
        comp_families=("string", "keyboard"),
        bass_families=("string",),
        lead_families=("string", "flute", "keyboard", "reed"),
    ),
    "country": Style(
        bpm=(85, 150),
        minor=0.1,
        drums=(("x.......x.......", "....x.......x...", "..x...x...x...x."), BACKBEAT),
        comp=("....x.......x...", "..x.x.x...x.x.x."),
        comp_hold=3,
        bass=("1.......5.......", "1...5...1...5..."),
        comp_families=("guitar",),
        lead_families=("vocal", "guitar", "string"),
    ),
    "disco": Style(
        bpm=(108, 132),
        minor=0.5,
        loose_s=0.003,
        drift=0.001,
        drums=(FOUR_FLOOR,),
        comp=("x..x..x.....x...", "..x...x...x...x."),
        comp_hold=2,
        bass=("1.8.1.8.1.8.1.8.", "1...1.8...1.1.8."),
        comp_families=("string", "keyboard", "guitar"),
        lead_families=("vocal", "string", "brass"),
        gain=(1.0, 0.8, 0.5, 0.5),
    ),
    "hiphop": Style(
        bpm=(75, 105),
        minor=0.8,
        major_progressions=LOOPS_MAJOR,
        minor_progressions=LOOPS_MINOR,
        swing=(0.5, 0.58),
        drums=(
            ("x.....x...x.....", "....x.......x...", "x.x.x.x.x.x.x.x."),
            ("x..x......x..x..", "....x.......x...", "x.xxx.x.x.xxx.x."),
        ),
        bass=("1.....1...1.....", "1..1......5....."),
        lead_density=0.2,
        comp_families=("keyboard", "organ", "mallet"),
        lead_families=("vocal", "synth_lead", "flute"),
        gain=(1.2, 0.9, 0.35, 0.4),
    ),
    "jazz": Style(
        bpm=(90, 180),
        minor=0.4,
        major_progressions=JAZZ_MAJOR,
        minor_progressions=JAZZ_MINOR,
        swing=(0.6, 0.67),
        loose_s=0.012,
        drift=0.008,
        drums=(("", "", "x...x.x.x...x.x."), ("x.........x.....", ".....x....x.....", "x...x.x.x...x.x.")),
        comp=("x.....x.........", "...x......x.....", "x..............."),
        comp_hold=4,
        bass=("1...3...5...3...", "1...5...3...5..."),
        lead_density=0.65,
        comp_families=("keyboard", "guitar"),
        bass_families=("bass", "string"),
        lead_families=("reed", "brass", "keyboard"),
        gain=(0.5, 0.7, 0.4, 0.6),
    ),
    "metal": Style(
        bpm=(100, 175),
        minor=0.95,
        minor_progressions=RIFFS,
        loose_s=0.004,
        drums=(
            ("x.x.x.x.x.x.x.x.", "....x.......x...", "x...x...x...x..."),
            ("xxx.xxx.xxx.xxx.", "....x.......x...", "x.x.x.x.x.x.x.x."),
        ),
        comp=("x.xxx.xxx.xxx.xx", "x.x.x.x.x.x.x.x.", "x..x..x.x..x..x."),
        comp_hold=2,
        bass=("1.1.1.1.1.1.1.1.", "1..1..1.1..1..1."),
        lead_density=0.3,
        comp_families=("guitar",),
        lead_families=("guitar", "vocal"),
        drive=12.0,
        gain=(1.0, 0.6, 0.9, 0.4),
    ),
    "pop": Style(
        bpm=(85, 130),
        minor=0.3,
        loose_s=0.004,
        drift=0.001,
        drums=(BACKBEAT, FOUR_FLOOR, ("x.....x.x.......", "....x.......x...", "x.x.x.x.x.x.x.x.")),
        comp=("x...............", "x..x..x.x..x..x.", "x...x...x...x..."),
        comp_hold=4,
        bass=("1.1.1.1.1.1.1.1.", "1.......1.....1."),
        comp_families=("keyboard", "synth_lead", "guitar", "string"),
        lead_families=("vocal", "synth_lead"),
    ),
    "reggae": Style(
        bpm=(70, 100),
        minor=0.5,
        major_progressions=LOOPS_MAJOR,
        minor_progressions=LOOPS_MINOR,
        swing=(0.5, 0.6),
        drums=(
            ("........x.......", "........x.......", "x.x.x.x.x.x.x.x."),
            ("x.......x.......", "........x.......", "..x...x...x...x."),
        ),
        comp=("..x...x...x...x.", "....x.......x..."),
        comp_hold=2,
        bass=("1..1..5...3.1...", "....1.1.5...1..."),
        comp_families=("guitar", "organ"),
        lead_families=("vocal", "brass", "organ"),
        gain=(0.8, 1.0, 0.5, 0.5),
    ),
    "rock": Style(
        bpm=(90, 160),
        minor=0.35,
        drums=(BACKBEAT, ("x..x....x.x.....", "....x.......x...", "x.x.x.x.x.x.x.x.")),
        comp=("x.x.x.x.x.x.x.x.", "x.....x.x.....x.", "x..............."),
        comp_hold=3,
        bass=("1.1.1.1.1.1.1.1.", "1...1...1.1.5..."),
        comp_families=("guitar",),
        lead_families=("vocal", "guitar"),
        drive=4.0,
        gain=(0.9, 0.7, 0.7, 0.6),
    ),
}
DANCE = {
    "techno": Style(
        bpm=(120, 140),
        minor=0.8,
        major_progressions=LOOPS_MAJOR,
        minor_progressions=LOOPS_MINOR,
        loose_s=0.0,
        drift=0.0,
        drums=(FOUR_FLOOR,),
        comp=("x..x..x...x..x..", "..x...x...x...x."),
        comp_hold=2,
        bass=("..1...1...1...1.", "1.1.1.1.1.1.1.1."),
        lead_density=0.3,
        comp_families=("synth_lead", "keyboard", "organ"),
        lead_families=("synth_lead", "mallet"),
        gain=(1.0, 0.8, 0.5, 0.4),
    ),
    "house": Style(
        bpm=(118, 128),
        minor=0.7,
        major_progressions=LOOPS_MAJOR,
        minor_progressions=LOOPS_MINOR,
        loose_s=0.0,
        drift=0.0,
        drums=(FOUR_FLOOR, ("x...x...x...x...", "....x.......x..x", "x.xxx.xxx.xxx.xx")),
        comp=("x..x..x.....x...", "x..............."),
        comp_hold=3,
        bass=("1..1..1.1..1..1.", "..1...1...1...1."),
        lead_density=0.35,
        comp_families=("keyboard", "organ", "string"),
        lead_families=("vocal", "synth_lead", "keyboard"),
        gain=(0.9, 0.8, 0.5, 0.4),
    ),
    "drum-and-bass": Style(
        bpm=(160, 178),
        minor=0.85,
        major_progressions=LOOPS_MAJOR,
        minor_progressions=LOOPS_MINOR,
        loose_s=0.002,
        drift=0.0,
        drums=(
            ("x.........x.....", "....x.......x...", "x.x.x.x.x.x.x.x."),
            ("x.x.......x.....", "....x..x.x..x...", "x.x.x.x.x.x.x.x."),
        ),
        bass=("1.........1.....", "1.....1.....5..."),
        lead_density=0.25,
        comp_families=("string", "synth_lead", "keyboard"),
        lead_families=("synth_lead", "vocal"),
        gain=(1.0, 0.9, 0.45, 0.4),
    ),
}
STYLES = {**GENRES, **DANCE}
