"""Instruments from numpy alone: wavetables, frequency modulation, plucked strings, voices and drums.

An instrument is a tone (what the wave looks like) and an envelope (how loud it is when). Every random choice comes
from the generator that is handed in, so equal generators give equal samples. Arrays are float32, times are seconds,
pitches are MIDI numbers that may have fractions (69 is A4, 440 Hz), ``n`` counts samples.

Sources: Karplus & Strong, Computer Music Journal 7(2), 1983 (plucked string); Chowning, JAES 21(7), 1973 (frequency
modulation); Fant, Acoustic Theory of Speech Production, 1960 (source and filter).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]
TABLE = 4096
SINE = np.sin(2 * np.pi * np.arange(TABLE) / TABLE).astype(np.float32)


def generator(*keys: int | str) -> np.random.Generator:
    """Return the generator that belongs to ``keys``, whatever was drawn elsewhere before."""
    return np.random.default_rng([zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys])


def hertz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch, in equal temperament with A4 = 440 Hz."""
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)


def look_up(table: Audio, cycles: npt.NDArray[np.floating]) -> Audio:
    """Read one period, held in ``table`` (TABLE,), at phases ``cycles`` (n,)."""
    return table[(cycles * TABLE).astype(np.int64) & (TABLE - 1)]


def noise(rng: np.random.Generator, n: int) -> Audio:
    """Return white noise (n,) of unit variance."""
    return rng.standard_normal(n, dtype=np.float32)


def single_cycle(amplitudes: npt.ArrayLike, rng: np.random.Generator) -> Audio:
    """Return one period (TABLE,) of the partials 1, 2, ... with random phases, scaled to unit variance."""
    amplitudes = np.asarray(amplitudes, dtype=np.float64)
    spectrum = np.zeros(TABLE // 2 + 1, dtype=np.complex128)
    spectrum[1 : len(amplitudes) + 1] = amplitudes * np.exp(2j * np.pi * rng.random(len(amplitudes)))
    wave = np.fft.irfft(spectrum)
    return (wave / wave.std()).astype(np.float32)


def num_partials(frequency_hz: float, rate: int, most: int) -> int:
    """Return how many of ``most`` partials fit below 0.45 times the sample rate."""
    return max(1, min(most, int(0.45 * rate / frequency_hz)))


@dataclass(frozen=True, kw_only=True)
class Wave:
    """Harmonic partials whose amplitude falls as ``k ** -tilt``, and turns darker while the note lasts.

    Attributes:
        tilt: exponent of the fall at the onset; 1 is a saw, 3 is nearly a sine.
        darkening: added to the exponent at the end.
        darken_s: time constant of the change.
        even: gain of the even partials; 0 is a clarinet or a square wave.
        formant: partial around which amplitudes are raised threefold.
        num_partials: at most.
    """

    tilt: float
    darkening: float
    darken_s: float
    even: float
    formant: float
    num_partials: int

    def tone(self, cycles: npt.NDArray[np.floating], pitch: float, rate: int, rng: np.random.Generator) -> Audio:
        """Return the wave (n,) for the phases ``cycles`` (n,)."""
        k = np.arange(1, num_partials(hertz(pitch), rate, self.num_partials) + 1)
        gain = np.where(k % 2 == 0, self.even, 1.0) * (1 + 2 * np.exp(-(((k - self.formant) / 1.5) ** 2)))
        bright = look_up(single_cycle(gain * k**-self.tilt, rng), cycles)
        dark = look_up(single_cycle(gain * k ** -(self.tilt + self.darkening), rng), cycles)
        blend = np.exp(-np.arange(len(cycles), dtype=np.float32) / np.float32(self.darken_s * rate))
        return dark + (bright - dark) * blend


@dataclass(frozen=True, kw_only=True)
class Fm:
    """A sine whose phase is modulated by another; integer ``ratio`` is harmonic, others ring like bells.

    Attributes:
        ratio: modulator frequency over carrier frequency.
        index: modulation index at the onset, radians.
        rest: share of the index that stays.
        index_s: time constant of its fall.
    """

    ratio: float
    index: float
    rest: float
    index_s: float

    def tone(self, cycles: npt.NDArray[np.floating], pitch: float, rate: int, rng: np.random.Generator) -> Audio:
        """Return the wave (n,) for the phases ``cycles`` (n,)."""
        room = 0.45 * rate / hertz(pitch)
        index = min(self.index, max(0.2, (room - 1) / self.ratio - 1))
        fall = np.exp(-np.arange(len(cycles), dtype=np.float32) / np.float32(self.index_s * rate))
        swing = np.float32(index / (2 * np.pi)) * (self.rest + (1 - self.rest) * fall)
        return np.float32(1.4) * look_up(SINE, cycles + swing * look_up(SINE, cycles * self.ratio))


@dataclass(frozen=True, kw_only=True)
class Pluck:
    """A string: a burst of noise in a loop that loses its high frequencies first.

    Attributes:
        ring_s: time in which the fundamental falls by 60 dB.
        damping: share of the two-sided average in the loop, 0 (metal) to 1 (nylon).
        position: where the string is plucked, as a part of its length.
    """

    ring_s: float
    damping: float
    position: float

    def tone(self, cycles: npt.NDArray[np.floating], pitch: float, rate: int, rng: np.random.Generator) -> Audio:
        """Return the wave, as long as ``cycles`` (n,) but always at the steady ``pitch``.

        The loop is a linear filter, so it is evaluated in one go as a quotient of spectra. They are taken on a circle
        of radius > 1: what wraps around the end of the block is then weaker by 80 dB.
        """
        n = len(cycles)
        size = 1 << (n - 1).bit_length()
        period = rate / hertz(pitch)
        log_radius = np.log(10.0) * 4 / size
        step = log_radius + 2j * np.pi * np.arange(size // 2 + 1) / size
        burst = np.zeros(size)
        burst[: int(period) + 1] = noise(rng, int(period) + 1)
        burst[: int(period) + 1] *= np.exp(-log_radius * np.arange(int(period) + 1))
        loop = 10 ** (-3 * period / (rate * self.ring_s)) * (1 - self.damping / 2 * (1 - np.cosh(step)))
        delay = np.exp(-period * step)
        spectrum = np.fft.rfft(burst) * (1 - np.exp(-self.position * period * step)) / (1 - loop * delay)
        wave = np.fft.irfft(spectrum, size)[:n] * np.exp(log_radius * np.arange(n))
        return (wave * 2 / np.abs(wave[: rate // 4 + 1]).max()).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Voice:
    """Glottal pulses through the resonances of a vocal tract.

    Attributes:
        formants_hz: centre frequencies.
        width_hz: bandwidth of the first; the others are wider by their number.
        tilt: exponent of the fall of the pulse spectrum; 1 is pressed, 2 is soft.
        breath: noise added to the pulses before the resonances, share of their level.
    """

    formants_hz: tuple[float, ...]
    width_hz: float
    tilt: float
    breath: float

    def tone(self, cycles: npt.NDArray[np.floating], pitch: float, rate: int, rng: np.random.Generator) -> Audio:
        """Return the wave (n,) for the phases ``cycles`` (n,)."""
        k = np.arange(1, num_partials(hertz(pitch), rate, 80) + 1)
        return self.resonate(look_up(single_cycle(k**-self.tilt, rng), cycles), rate, rng)

    def resonate(self, source: Audio, rate: int, rng: np.random.Generator) -> Audio:
        """Return ``source`` (n,) with breath added, shaped by the formants (as a filter without phase)."""
        n = len(source)
        size = 1 << (n - 1).bit_length()
        hz = np.fft.rfftfreq(size, 1 / rate)
        gain = np.full(len(hz), 0.02)
        for i, centre in enumerate(self.formants_hz):
            gain += 0.7**i / (1 + ((hz - centre) / (self.width_hz * (1 + 0.5 * i))) ** 2)
        wave = np.fft.irfft(np.fft.rfft(source + np.float32(self.breath) * noise(rng, n), size) * gain, size)[:n]
        return (wave / (wave.std() + 1e-9)).astype(np.float32)


Tone = Wave | Fm | Pluck | Voice


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """A tone with its envelope: linear attack, exponential decay to a level, linear release.

    Attributes:
        family: one of the eleven NSynth families.
        tone: the wave.
        attack_s, decay_s, release_s: times; the decay is a time constant.
        sustain: level the decay falls to, 0 to 1.
        vibrato_cents, vibrato_hz: depth (peak) and rate.
        hiss: noise under the tone, share of its level.
    """

    family: str
    tone: Tone
    attack_s: float
    decay_s: float
    sustain: float
    release_s: float
    vibrato_cents: float
    vibrato_hz: float
    hiss: float

    def play(self, pitch: float, duration_s: float, rate: int, rng: np.random.Generator) -> Audio:
        """Return one note (n,), about unit level at its loudest, ``duration_s`` plus the release long."""
        hold = max(1, int(duration_s * rate))
        n = hold + int(self.release_s * rate) + 1
        wave = self.tone.tone(self._cycles(pitch, n, rate, rng), pitch, rate, rng)
        if self.hiss:
            wave = wave + np.float32(self.hiss) * noise(rng, n)
        return wave * self._envelope(hold, n, rate)

    def _cycles(self, pitch: float, n: int, rate: int, rng: np.random.Generator) -> npt.NDArray[np.floating]:
        """Return the phase (n,) in cycles; vibrato is integrated in closed form."""
        t = np.arange(n) * (hertz(pitch) / rate) + rng.random()
        if not self.vibrato_cents:
            return t
        deviation = hertz(pitch) * (2 ** (self.vibrato_cents / 1200) - 1) / (2 * np.pi * self.vibrato_hz)
        return t - deviation * look_up(SINE, np.arange(n) * (self.vibrato_hz / rate) + rng.random())

    def _envelope(self, hold: int, n: int, rate: int) -> Audio:
        level = np.exp(-np.arange(n, dtype=np.float32) / np.float32(self.decay_s * rate))
        level = self.sustain + (1 - self.sustain) * level
        rise = min(n, int(self.attack_s * rate) + 1)
        level[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
        level[hold:] *= np.linspace(1, 0, n - hold, dtype=np.float32)
        return level


@dataclass(frozen=True, kw_only=True)
class Kit:
    """A drum kit: each drum is rendered once and struck many times."""

    kick_hz: float
    kick_s: float
    snare_hz: float
    snare_s: float
    hat_s: float

    def hits(self, rate: int, rng: np.random.Generator) -> dict[str, Audio]:
        """Return the sound of each drum, ``k`` kick, ``s`` snare, ``h`` hat, (n,) each."""
        t = np.arange(int(0.35 * rate), dtype=np.float32) / rate
        sweep = self.kick_hz * t + 0.03 * 2 * self.kick_hz * (1 - np.exp(-t / 0.03))
        kick = 1.6 * look_up(SINE, sweep) * np.exp(-t / self.kick_s) + 0.3 * noise(rng, len(t)) * np.exp(-t / 0.003)
        body = look_up(SINE, self.snare_hz * t) * np.exp(-t / (0.5 * self.snare_s))
        snare = 0.7 * body + 0.7 * noise(rng, len(t)) * np.exp(-t / self.snare_s)
        hat = np.diff(noise(rng, len(t) + 2), 2) * np.exp(-t / self.hat_s) * 0.25
        fade = np.minimum(1, (t[-1] - t) / 0.05).astype(np.float32)
        return {"k": (kick * fade).astype(np.float32), "s": snare * fade, "h": (hat * fade).astype(np.float32)}


def draw_kit(rng: np.random.Generator) -> Kit:
    """Return a random drum kit."""
    return Kit(
        kick_hz=rng.uniform(42, 62),
        kick_s=rng.uniform(0.06, 0.16),
        snare_hz=rng.uniform(150, 240),
        snare_s=rng.uniform(0.04, 0.12),
        hat_s=rng.uniform(0.01, 0.06),
    )
