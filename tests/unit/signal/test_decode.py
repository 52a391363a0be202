"""Whole files are used whole, damaged ones are named, whatever their headers claim; containers are made by hand here.

Lengths are known from how each file is made; checksums of pages are those libogg wrote.
"""

import logging
import struct
import time

import numpy as np
import pytest
import soundfile

from musicssl.signal import chunks, decode, ffmpeg, mpeg, ogg
from musicssl.signal.decode import DecodeError, duration_s, examine, mono_blocks, require_usable
from musicssl.signal.splice import Splice

RATE = 44100


def noise(seconds=3.0, channels=1, seed=0):
    """Return noise under a slow envelope, so that a variable bit rate varies: float64 (n, channels)."""
    at_s = np.arange(round(seconds * RATE)) / RATE
    envelope = 0.1 * (1 + np.sin(2 * np.pi * 0.7 * at_s))
    return envelope[:, None] * np.random.default_rng(seed).standard_normal((len(at_s), channels))


def write(path, seconds=3.0, channels=1, **options):
    """Write noise and return the bytes of the file."""
    soundfile.write(path, noise(seconds, channels), RATE, **options)
    return path.read_bytes()


def decoded(path):
    """Return the number of samples that decoding gives, which must be what the file tells."""
    count = sum(map(len, mono_blocks(path)))
    assert abs(count - duration_s(path) * examine(path).sample_rate_hz) < 0.5
    return count


def refused(path):
    """Return reason and detail with which a file is refused."""
    with pytest.raises(DecodeError) as error:
        require_usable(path)
    return error.value.reason, str(error.value)


# ---------------------------------------------------------------- MPEG audio


@pytest.fixture
def mp3(tmp_path):
    """Return a function that writes an MP3 of variable bit rate, and gives its bytes without the Xing frame."""

    def make(name="a.mp3", seconds=3.0, channels=1):
        path = tmp_path / name
        data = write(path, seconds, channels, bitrate_mode="VARIABLE")
        _, length = mpeg.parse(data[:4])
        assert b"Xing" in data[:length]
        return data[length:]

    return make


@pytest.mark.parametrize("channels", [1, 2])
def test_an_mp3_of_variable_rate_without_a_length_is_read_to_its_end(tmp_path, mp3, channels):
    audio = mp3(seconds=6, channels=channels)
    whole = np.concatenate(list(mono_blocks(tmp_path / "a.mp3")))
    assert len(whole) == 6 * RATE
    (tmp_path / "piped.mp3").write_bytes(audio)
    told = soundfile.info(str(tmp_path / "piped.mp3")).frames
    assert abs(told - 6 * RATE) > 1152, "libsndfile knows the length by itself"
    count = decoded(tmp_path / "piped.mp3")
    assert 6 * RATE <= count < 6 * RATE + 3 * 1152
    piped = np.concatenate(list(mono_blocks(tmp_path / "piped.mp3")))
    shift = np.argmax(np.correlate(piped[: RATE + 3000], whole[:RATE], "valid"))
    assert np.abs(piped[shift : shift + RATE] - whole[:RATE])[5000:].max() < 1e-4


def test_concatenated_mp3s_are_read_to_the_end_of_the_last(tmp_path, mp3):
    mp3("a.mp3", 2), mp3("b.mp3", 3)
    (tmp_path / "both.mp3").write_bytes((tmp_path / "a.mp3").read_bytes() + (tmp_path / "b.mp3").read_bytes())
    assert 5 * RATE <= decoded(tmp_path / "both.mp3") < 5 * RATE + 6 * 1152


def test_a_vbri_header_is_no_audio_and_no_lie(tmp_path, mp3):
    audio = mp3(seconds=3)
    frames = mpeg.walk(tmp_path / "a.mp3")
    header = bytes([255, 0xFB, 0x90, 0xC0])
    _, length = mpeg.parse(header)
    vbri = struct.pack(">4sHHHII", b"VBRI", 1, 0, 75, len(audio) + length, frames.count)
    (tmp_path / "vbri.mp3").write_bytes((header + bytes(32) + vbri).ljust(length, b"\0") + audio)
    assert mpeg.walk(tmp_path / "vbri.mp3").count == frames.count
    assert 3 * RATE <= decoded(tmp_path / "vbri.mp3") < 3 * RATE + 3 * 1152


def test_tags_and_junk_around_mp3_frames_are_left_out(tmp_path, mp3, caplog):
    audio = mp3()
    (tmp_path / "plain.mp3").write_bytes(audio)
    plain = decoded(tmp_path / "plain.mp3")
    id3 = b"ID3\x04\0\0" + bytes([0, 0, 2, 1]) + bytes(257)
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 1, 0xA0000000) + bytes(8 + 32)
    (tmp_path / "tagged.mp3").write_bytes(id3 + audio + ape + b"TAG" + bytes(125))
    assert decoded(tmp_path / "tagged.mp3") == plain
    assert not caplog.messages
    (tmp_path / "junk.mp3").write_bytes(b"junk" * 100 + audio)
    assert decoded(tmp_path / "junk.mp3") == plain
    assert "400 bytes between MPEG frames are no audio and left out; kept" in caplog.text
    (tmp_path / "holes.mp3").write_bytes(b"junk" * len(audio) + audio)
    assert refused(tmp_path / "holes.mp3")[0] == "damaged"


def test_a_cut_mp3_is_named(tmp_path, mp3, caplog):
    audio = mp3()
    data = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(data[: len(data) // 2])
    reason, detail = refused(tmp_path / "cut.mp3")
    assert reason == "truncated"
    frames = mpeg.walk(tmp_path / "a.mp3")
    assert f" of {frames.told} MPEG frames" in detail
    (tmp_path / "cut.mp3").write_bytes(audio[: frames.spans[0][1] - frames.spans[0][0] - 10])
    decoded(tmp_path / "cut.mp3")
    assert f"the last of {frames.count} MPEG frames lacks 10 bytes and is left out; kept" in caplog.text


def test_mp3s_of_two_rates_in_one_file_are_refused(tmp_path, mp3):
    first = mp3()
    soundfile.write(tmp_path / "b.mp3", noise(1), 48000)
    (tmp_path / "it's both.mp3").write_bytes(first + (tmp_path / "b.mp3").read_bytes())
    reason, detail = refused(tmp_path / "it's both.mp3")
    assert reason == "mixed"
    assert "then 48000 Hz" in detail
    assert """ffmpeg -i 'it'"'"'s both.mp3' -map 0:a:0 -c:a flac""" in detail


def test_junk_that_looks_like_headers_ends_in_bounded_time(tmp_path):
    for pattern in (b"\xff", b"\xff\xfb\x90\x00", b"TAG\xff\xfb\x90\x00Xing"):
        (tmp_path / "a.mp3").write_bytes(pattern * (20_000_000 // len(pattern)))
        start = time.perf_counter()
        assert mpeg.walk(tmp_path / "a.mp3") is None
        assert time.perf_counter() - start < 8


# ---------------------------------------------------------------- Ogg


@pytest.fixture(params=["VORBIS", "OPUS"])
def stream(request, tmp_path):
    """Return the bytes of 4 s of Ogg Vorbis or Ogg Opus, and where its pages start."""
    rate = 48000 if request.param == "OPUS" else RATE
    soundfile.write(tmp_path / "a.ogg", noise(4 * RATE / rate * rate / RATE)[: 4 * RATE], rate, "OGG" and request.param,
                    format="OGG")  # fmt: skip
    data = (tmp_path / "a.ogg").read_bytes()
    starts, at = [], data.find(b"OggS")
    while at >= 0:
        starts.append(at)
        at = data.find(b"OggS", at + 4)
    return data, starts


def test_every_checksum_of_libogg_is_what_is_computed(stream):
    data, starts = stream
    for start, stop in zip(starts, [*starts[1:], len(data)]):
        page = bytearray(data[start:stop])
        written = struct.unpack("<I", page[22:26])[0]
        page[22:26] = bytes(4)
        assert ogg.checksum(bytes(page)) == written


def test_chained_streams_are_all_used(stream, tmp_path):
    once = decoded(tmp_path / "a.ogg")
    (tmp_path / "chained.ogg").write_bytes(stream[0] * 3)
    assert decoded(tmp_path / "chained.ogg") == 3 * once


def test_holes_and_cuts_in_ogg_are_named(stream, tmp_path):
    data, starts = stream
    middle = len(starts) // 2
    cases = {
        "hole": (data[: starts[middle] + 100] + data[starts[middle] + 400 :], "damaged"),
        "page": (data[: starts[middle]] + data[starts[middle + 1] :], "damaged"),
        "flip": (data[: starts[middle] + 99] + b"\x55" + data[starts[middle] + 100 :], "damaged"),
        "end": (data[: starts[-1]], "truncated"),
        "half": (data[: starts[-1] + 50], "truncated"),
        "headless": (data[starts[1] :], "damaged"),
    }
    for name, (content, reason) in cases.items():
        (tmp_path / f"{name}.ogg").write_bytes(content)
        assert refused(tmp_path / f"{name}.ogg")[0] == reason, name


# ---------------------------------------------------------------- WAV and its relatives


@pytest.mark.parametrize(
    ("riff", "data"),
    [
        (0x7FFFF024, 0x7FFFF000),  # sox -t wav -
        (0x80000023, 0x7FFFFFFF),  # lame --decode x -
        (0x24, 0),  # mpg123 -w -
        (0xFFFFFFFF, 0xFFFFFFFF),  # ffmpeg -f wav -
        (0, 0),
        (0, 9_999_999),
    ],
)
def test_a_wav_written_to_a_pipe_is_whole(tmp_path, riff, data):
    content = bytearray(write(tmp_path / "a.wav"))
    content[4:8], content[40:44] = struct.pack("<I", riff), struct.pack("<I", data)
    (tmp_path / "a.wav").write_bytes(content)
    assert decoded(tmp_path / "a.wav") == 3 * RATE


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [("wav", "PCM_16"), ("aiff", "PCM_16"), ("w64", "PCM_24"), ("caf", "FLOAT"), ("rf64", "FLOAT"), ("au", "PCM_16")],
)
def test_missing_samples_of_a_credible_size_are_named(tmp_path, suffix, subtype, caplog):
    data = write(tmp_path / f"a.{suffix}", subtype=subtype)
    assert decoded(tmp_path / f"a.{suffix}") == 3 * RATE
    (tmp_path / f"a.{suffix}").write_bytes(data[: len(data) // 2])
    reason, detail = refused(tmp_path / f"a.{suffix}")
    assert (reason, detail.endswith("bytes of samples; fetch it again")) == ("truncated", True)
    (tmp_path / f"a.{suffix}").write_bytes(data[: len(data) - 4096])
    require_usable(tmp_path / f"a.{suffix}")
    assert "bytes of samples are missing; kept" in caplog.text


def test_other_relatives_without_a_length_are_whole(tmp_path):
    aiff = bytearray(write(tmp_path / "a.aiff"))
    sound = aiff.index(b"SSND")
    common = aiff.index(b"COMM")
    aiff[4:8] = aiff[sound + 4 : sound + 8] = aiff[common + 10 : common + 14] = bytes(4)
    (tmp_path / "a.aiff").write_bytes(aiff)
    w64 = bytearray(write(tmp_path / "a.w64"))
    w64[16:24] = bytes(8)
    data = w64.index(b"data" + chunks.W64_TAIL)
    w64[data + 16 : data + 24] = bytes(8)
    (tmp_path / "a.w64").write_bytes(w64)
    rf64 = bytearray(write(tmp_path / "a.rf64", format="RF64"))
    assert rf64[12:16] == b"ds64"
    rf64[20:44] = bytes(24)
    (tmp_path / "a.rf64").write_bytes(rf64)
    for name in ("a.aiff", "a.w64", "a.rf64"):
        assert decoded(tmp_path / name) == 3 * RATE, name


def test_two_wavs_in_one_are_named_and_an_empty_one_is_empty(tmp_path):
    data = write(tmp_path / "a.wav")
    (tmp_path / "two.wav").write_bytes(data * 2)
    assert refused(tmp_path / "two.wav")[0] == "unread"
    soundfile.write(tmp_path / "none.wav", np.zeros(0), RATE)
    assert duration_s(tmp_path / "none.wav") == 0


# ---------------------------------------------------------------- samples


def test_a_flac_that_tells_no_length_is_counted(tmp_path):
    data = bytearray(write(tmp_path / "a.flac"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    assert examine(tmp_path / "a.flac").frames is None
    assert duration_s(tmp_path / "a.flac") == 3


@pytest.mark.parametrize(
    ("make", "rate", "reason", "number"),
    [
        (lambda x: x * 32768, RATE, "clipped", "beyond full scale, peak"),
        (lambda x: 0 * x, RATE, "silent", "peak 0 of 1"),
        (lambda x: 0 * x + 0.25, RATE, "constant", "near 0.25"),
        (lambda x: np.concatenate([x, -x], 1), RATE, "cancelled", "dB below them"),
        (lambda x: x, 1, "rate", "1 Hz, expected 1000"),
        (lambda x: np.where(x == x.max(), np.nan, x), RATE, "not-finite", "NaN or infinity after 0."),
        (lambda x: np.where(x == x.max(), -np.inf, x), RATE, "not-finite", "NaN or infinity after 0."),
    ],
)
def test_samples_that_cannot_be_meant_are_refused_with_the_number(tmp_path, make, rate, reason, number):
    soundfile.write(tmp_path / "a.wav", make(noise(1)), rate, subtype="FLOAT")
    found, detail = refused(tmp_path / "a.wav")
    assert (found, number in detail) == (reason, True), detail


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (lambda x: 1.3 * x / np.sort(np.abs(x.ravel()))[-90], "% of the samples lie beyond full scale and are clipped"),
        (lambda x: x + 0.2, "direct current of 0.2"),
        (lambda x: np.concatenate([x, -0.9 * x], 1), "the channels nearly cancel: their mean is 26 dB below them"),
        (lambda x: np.concatenate([x, 0 * x], 1), ""),
        (lambda x: x, ""),
    ],
)
def test_what_is_odd_is_noted_and_kept(tmp_path, make, note, caplog):
    soundfile.write(tmp_path / "a.wav", make(noise(1)), RATE, subtype="FLOAT")
    require_usable(tmp_path / "a.wav")
    assert [note in message for message in caplog.messages] == ([True] if note else []), caplog.text


def test_silence_may_be_judged_by_the_caller(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    require_usable(tmp_path / "a.wav", may_be_silent=True)


# ---------------------------------------------------------------- the second decoder


@pytest.mark.parametrize("begin", [b"\0\0\0\x20ftypM4A ", b"\x1aE\xdf\xa3\x01\0\0\0", b"\xff\xf1\x50\x80\x2e"])
def test_without_ffmpeg_the_row_holds_its_exact_line(tmp_path, monkeypatch, begin):
    monkeypatch.setattr(ffmpeg, "executable", lambda: None)
    path = tmp_path / "-it's $HOME.m4a"
    path.write_bytes(begin + bytes(200))
    line = """ffmpeg -i './-it'"'"'s $HOME.m4a' -map 0:a:0 -c:a flac './-it'"'"'s $HOME.converted.flac'"""
    assert refused(path) == (
        "needs-ffmpeg",
        f"libsndfile does not read it; install ffmpeg, or convert it elsewhere: {line}",
    )
    path.write_bytes(b"an error page")
    assert refused(path) == ("not-audio", "begins with b'an error pag', expected audio")


needs_ffmpeg = pytest.mark.skipif(ffmpeg.executable() is None, reason="ffmpeg is not installed")


@needs_ffmpeg
def test_ffmpeg_decodes_what_libsndfile_does_not_read(tmp_path):
    import subprocess

    write(tmp_path / "a.wav", channels=2)
    for name, options in {"a.m4a": ["-c:a", "alac"], "a.webm": ["-c:a", "libopus"], "a.aac": []}.items():
        command = ["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", *options, tmp_path / name]
        subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL)
        sound = examine(tmp_path / name)
        assert (sound.by_ffmpeg, sound.channels) == (True, 2)
        assert 3 <= duration_s(sound) < 3 + 3 * 1024 / RATE
    lossless = np.concatenate(list(mono_blocks(tmp_path / "a.m4a")))
    assert np.array_equal(lossless, np.concatenate(list(mono_blocks(tmp_path / "a.wav"))))
    data = (tmp_path / "a.webm").read_bytes()
    (tmp_path / "cut.webm").write_bytes(data[: len(data) // 2])
    assert refused(tmp_path / "cut.webm")[0] == "truncated"


@needs_ffmpeg
def test_playlists_open_no_other_file(tmp_path):
    write(tmp_path / "secret.wav")
    (tmp_path / "a.m4a").write_text(f"ffconcat version 1.0\nfile '{tmp_path / 'secret.wav'}'\n")
    assert refused(tmp_path / "a.m4a")[0] == "not-audio"
    (tmp_path / "b.m4a").write_text(f"#EXTM3U\n#EXTINF:3,\n{tmp_path / 'secret.wav'}\n#EXT-X-ENDLIST\n")
    assert refused(tmp_path / "b.m4a")[0] == "not-audio"


# ---------------------------------------------------------------- parts


def test_a_splice_reads_as_its_parts_joined(tmp_path):
    content = np.random.default_rng(0).bytes(5000)
    (tmp_path / "x").write_bytes(content)
    joined = b"head" + content[10:20] + content[1000:4000] + content[5:6]
    with Splice(b"head", ((10, 20), (1000, 4000), (5, 6))).open(tmp_path / "x") as stream:
        assert stream.read() == joined
        for at in (0, 3, 4, 13, 14, 15, 3013, 3014, 3015):
            stream.seek(at)
            assert stream.read(7) == joined[at : at + 7]
            assert stream.tell() == min(at + 7, len(joined))


def test_libsndfile_is_never_quoted(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    for name, content in {"a.wav": b"RIFF" + bytes(60), "b.flac": b"fLaC" + bytes(60), "c.mp3": b"<html>"}.items():
        (tmp_path / name).write_bytes(content)
        assert "Error" not in refused(tmp_path / name)[1]
    assert refused(tmp_path / "none.wav") == ("unreadable", "No such file or directory")
    assert decode.BLOCK_FRAMES == 1 << 18
