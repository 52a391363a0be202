"""From score to sound: instruments, drums, saturation, room and noise."""

from __future__ import annotations

import numpy as np

from .compose import Song
from .styles import Style
from .synth import Audio, draw_kit, noise

ROLES = ("drums", "bass", "comp", "lead")


def render(song: Song, style: Style, rate: int, rng: np.random.Generator, noise_db: float = -45.0) -> Audio:
    """Return the sound (n,) of ``song``, peak 0.6 to 0.95, its start exactly at time zero of the annotations.

    Args:
        song: what :func:`compose` returned.
        style: gains and saturation.
        rate: samples a second.
        rng: phases, drum kit, room and noise.
        noise_db: level of the background noise against the music.
    """
    n = int(song.duration_s * rate)
    gain = dict(zip(ROLES, style.gain))
    tracks = {role: np.zeros(n, dtype=np.float32) for role in ROLES}
    detune = rng.uniform(-0.15, 0.15)
    played: dict[tuple[str, int, float], Audio] = {}
    for note in song.notes:
        sample = (note.role, note.pitch, round(note.duration_s, 1 if note.duration_s > 0.5 else 2))
        if sample not in played:
            played[sample] = song.instruments[note.role].play(note.pitch + detune, sample[2], rate, rng)
        level = np.float32(0.3 * gain[note.role] * note.velocity)
        add(tracks[note.role], level * played[sample], note.start_s, rate)
    sounds_of = draw_kit(rng).hits(rate, rng)
    for hit in song.hits:
        add(tracks["drums"], np.float32(0.35 * gain["drums"] * hit.velocity) * sounds_of[hit.drum], hit.start_s, rate)
    if style.drive:
        for role in ("comp", "lead") if song.instruments["lead"].family == "guitar" else ("comp",):
            tracks[role] = np.tanh(style.drive * tracks[role]) * np.float32(0.25)
    mix = room(np.sum(list(tracks.values()), axis=0), rate, rng)
    mix = mix + np.float32(mix.std() * 10 ** (noise_db / 20)) * noise(rng, n)
    return mix * np.float32(rng.uniform(0.6, 0.95) / np.abs(mix).max())


def add(track: Audio, sound: Audio, start_s: float, rate: int) -> None:
    """Mix ``sound`` into ``track`` from ``start_s`` on; what reaches past its end is cut."""
    start = round(start_s * rate)
    end = min(len(track), start + len(sound))
    track[start:end] += sound[: end - start]


def room(wave: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """Return ``wave`` with eight echoes of 10 to 120 ms, the later the softer, and a random tilt of the spectrum."""
    wet = wave.copy()
    size = rng.uniform(0.05, 0.35)
    for delay_s in rng.uniform(0.01, 0.12, 8):
        delay = int(delay_s * rate)
        wet[delay:] += np.float32(size * np.exp(-delay_s / 0.05) * rng.choice([-1, 1])) * wave[:-delay]
    wet[1:] += np.float32(rng.uniform(-0.4, 0.4)) * wet[:-1]
    return wet


def double_rate(wave: Audio) -> Audio:
    """Return ``wave`` (n,) at twice the sample rate (2 n,), by cubic interpolation halfway between samples."""
    padded = np.pad(wave, (1, 2), mode="edge")
    between = (9 * (padded[1:-2] + padded[2:-1]) - padded[:-3] - padded[3:]) / 16
    return np.stack([wave, between], axis=1).reshape(-1).astype(np.float32)
