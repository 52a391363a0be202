"""Files as sox, lame, mpg123, ffmpeg, flac, oggenc and opusenc write them: used whole, or named when they are cut.

Every command reads or makes the same 4 s of stereo noise and tone at 44.1 kHz; lossy codecs may add a few frames.
"""

import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from musicssl.signal.decode import DecodeError, duration_s, examine, mono_blocks, require_usable

SECONDS, RATE = 4, 44100
PIPE = " | cat > "  # programs see a pipe, into which they cannot go back to fill in sizes
WHOLE = {  # file to the command that makes it and the samples that the codec may add
    "sox.wav": ("cat a.wav | sox -t wav - -t wav -", 0),
    "sox-mp3.wav": ("lame --quiet a.wav - | sox -t mp3 - -t wav -", 2400),
    "sox.aiff": ("cat a.wav | sox -t wav - -t aiff -", 0),
    "sox.au": ("cat a.wav | sox -t wav - -t au -", 0),
    "lame.wav": ("lame --quiet -V2 a.wav b.mp3; lame --quiet --decode b.mp3 -", 0),
    "mpg123.wav": ("lame --quiet -V2 a.wav b.mp3; mpg123 -q -w - b.mp3", 0),
    "ffmpeg.wav": ("ffmpeg -v error -i a.wav -f wav -", 0),
    "ffmpeg.w64": ("ffmpeg -v error -i a.wav -f w64 -", 0),
    "ffmpeg.aiff": ("ffmpeg -v error -i a.wav -f aiff -", 0),
    "ffmpeg.caf": ("ffmpeg -v error -i a.wav -f caf -", 0),
    "rf64.wav": ("ffmpeg -v error -i a.wav -rf64 always -f wav -", 0),
    "lame.mp3": ("lame --quiet -V2 a.wav -", 2400),
    "cbr.mp3": ("lame --quiet -b 96 -t a.wav -", 2400),
    "ffmpeg.mp3": ("ffmpeg -v error -i a.wav -q:a 3 -f mp3 -", 2400),
    "mono22.mp3": ("ffmpeg -v error -i a.wav -ac 1 -ar 22050 -q:a 3 -f mp3 -", 2400),
    "joined.mp3": ("(lame --quiet -V2 a.wav -; lame --quiet -b 128 a.wav -)", 4 * RATE + 4800),
    "mpeg.mp2": ("ffmpeg -v error -i a.wav -f mp2 -", 2400),
    "flac.flac": ("flac -s -c a.wav", 0),
    "ffmpeg.flac": ("ffmpeg -v error -i a.wav -f flac -", 0),
    "oggenc.ogg": ("oggenc -Q -o - a.wav", 0),
    "ffmpeg.ogg": ("ffmpeg -v error -i a.wav -c:a libvorbis -f ogg -", 0),
    "joined.ogg": ("(oggenc -Q -s 1 -o - a.wav; oggenc -Q -s 2 -o - a.wav)", 4 * RATE),
    "opusenc.opus": ("opusenc --quiet a.wav -", 2400),
    "joined.opus": ("(opusenc --quiet --serial 1 a.wav -; opusenc --quiet --serial 2 a.wav -)", 4 * RATE + 4800),
    "flac.oga": ("ffmpeg -v error -i a.wav -c:a flac -f ogg -", 0),
    "aac.aac": ("ffmpeg -v error -i a.wav -f adts -", 3 * 1024),
    "opus.webm": ("ffmpeg -v error -i a.wav -c:a libopus -f webm -", 2400),
}
CUT = {  # cut in half, each of these is refused; "ffmpeg.mp3" and pipes that tell no length cannot know
    "a.wav": "true", "a.flac": "flac -s a.wav", "b.mp3": "lame --quiet -V2 a.wav b.mp3",
    "a.ogg": "oggenc -Q a.wav", "a.opus": "opusenc --quiet a.wav a.opus",
    "a.m4a": "ffmpeg -v error -i a.wav -movflags faststart a.m4a",
    "alac.m4a": "ffmpeg -v error -i a.wav -c:a alac alac.m4a",
    "a.aiff": "ffmpeg -v error -i a.wav a.aiff", "a.w64": "ffmpeg -v error -i a.wav a.w64",
}  # fmt: skip
PROGRAMS = ("sox", "lame", "mpg123", "ffmpeg", "flac", "oggenc", "opusenc")
MISSING = [name for name in PROGRAMS if not shutil.which(name)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture
def shell(tmp_path):
    """Return a function that runs a command beside ``a.wav``."""
    time = np.arange(SECONDS * RATE) / RATE
    noise = 0.05 * np.random.default_rng(0).standard_normal((len(time), 2)) * (time % 2)[:, None]
    soundfile.write(tmp_path / "a.wav", noise + 0.2 * np.sin(2 * np.pi * 440 * time)[:, None], RATE)
    return lambda command: subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files_are_used_whole(shell, tmp_path, name):
    command, more = WHOLE[name]
    shell(command + PIPE + name)
    sound = examine(tmp_path / name)
    count = sum(map(len, mono_blocks(sound)))
    scale = sound.sample_rate_hz / RATE
    assert SECONDS * RATE * scale - 1 <= count <= (SECONDS * RATE + more) * scale + 1
    assert abs(duration_s(sound) * sound.sample_rate_hz - count) <= 1


@pytest.mark.parametrize("name", CUT)
def test_cut_files_are_named(shell, tmp_path, name):
    shell(CUT[name])
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DecodeError) as error:
        require_usable(tmp_path / name)
    assert error.value.reason in ("truncated", "damaged")
