"""Audio to MFCC: this workflow's files-to-files rate beside decoding and resampling alone and bare torchaudio MFCC.

    python benchmarks/targets_audio.py --music FOLDER [--rounds 5]

All three do the same files in the same process on one thread, in turn, round after round; rates are medians, in seconds
of audio for each second of work. Processor time tells the same story on a busy machine. Ours writes every int16 clip
and every feature vector to disk (with fsync) and reads the clips back; the peers keep all in memory, write nothing.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

import numpy as np
import soundfile
import soxr
import torch
import torchaudio.compliance.kaldi
import torchaudio.functional

from musicssl.artefacts.ragged import RaggedShard
from musicssl.config.recipes import Corpus, MfccFeatures
from musicssl.corpus.crop import crop_shard
from musicssl.corpus.scan import scan
from musicssl.targets.features import extract_shard

RATE = 16000
TARGET = 0.85  # of decoding and resampling alone
MFCC39 = MfccFeatures(kind="mfcc", num_ceps=13, num_mel_bins=23, frame_rate_hz=100, sample_fraction=1.0, sample_seed=0)
FEATURES = {"name": "mfcc39", "digest": "benchmark", "entry": asdict(MFCC39), "inputs": {}}


def decode_resample(paths):
    """Return what soundfile and soxr make of each file, called once on the whole file: mono float32 at 16 kHz."""
    waves = []
    for path in paths:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
        waves.append(soxr.resample(wave @ np.full(wave.shape[1], 1 / wave.shape[1], np.float32), rate, RATE, "HQ"))
    return waves


def bare_mfcc(waves, clip_s):
    """Call torchaudio on clips in memory and drop the result."""
    for wave in waves:
        for clip in torch.from_numpy(wave).split(round(clip_s * RATE)):
            if len(clip) >= 2 * RATE:
                mfcc = torchaudio.compliance.kaldi.mfcc(clip[None], sample_frequency=RATE, use_energy=False).T
                delta = torchaudio.functional.compute_deltas(mfcc)
                torch.cat([mfcc, delta, torchaudio.functional.compute_deltas(delta)]).T.contiguous()


def ours(files, recipe, folder):
    """Run crop_audio and extract_features of one shard."""
    crop_shard(files, recipe, "benchmark", folder / "audio.npy")
    extract_shard(RaggedShard(folder / "audio.npy"), folder / "mfcc39.npy", FEATURES)


def timed(function, *args):
    """Return wall and processor time in seconds, and the result."""
    wall, processor = time.perf_counter(), time.process_time()
    result = function(*args)
    return np.array([time.perf_counter() - wall, time.process_time() - processor]), result


def measure(files, recipe, num_rounds):
    """Return times of shape (rounds, work, clock): decode + resample, MFCC, ours; wall, processor."""
    paths = [Path(recipe.root, file.file) for file in files]
    times = []
    with tempfile.TemporaryDirectory() as folder:
        bare_mfcc(decode_resample(paths[:1]), recipe.clip_s)  # caches and lazy imports
        ours(files[:1], recipe, Path(folder))
        for _ in range(num_rounds):
            decode, waves = timed(decode_resample, paths)
            mfcc, _ = timed(bare_mfcc, waves, recipe.clip_s)
            del waves
            times.append([decode, mfcc, timed(ours, files, recipe, Path(folder))[0]])
    return np.array(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--music", required=True, help="folder of audio files, any format and rate")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = Corpus(
        root=args.music, sample_rate_hz=RATE, clip_s=30.0, min_clip_s=2.0, min_file_s=1.0, silence_dbfs=-70.0,
        min_usable_fraction=0.0, valid_fraction=0.01, num_shards=1, seed=0,
    )  # fmt: skip
    files, _ = scan(recipe, 1)
    audio_s = sum(file.duration_s for file in files)
    times = measure(files, recipe, args.rounds)
    work = {
        f"decode + resample (soundfile {soundfile.__version__}, soxr {soxr.__version__})": times[:, 0],
        f"MFCC in memory (torchaudio {torchaudio.__version__})": times[:, 1],
        "the two in a row, nothing written": times[:, 0] + times[:, 1],
        "ours: decode, resample, crop, write, read, MFCC, write": times[:, 2],
    }
    print(f"{len(files)} files, {audio_s / 3600:.2f} h, one thread, medians of {args.rounds} rounds\n")
    print("| work | s of audio / s | / processor s | of decode + resample | of its processor time |")
    print("|---|---|---|---|---|")
    for name, spent in work.items():
        rate, ratio = audio_s / np.median(spent, axis=0), np.median(times[:, 0] / spent, axis=0)
        print(f"| {name} | {rate[0]:.0f} | {rate[1]:.0f} | {ratio[0]:.2f} | {ratio[1]:.2f} |")
    print(f"\ntarget {TARGET} of decode + resample by wall time: {'met' if ratio[0] >= TARGET else 'missed'}")


if __name__ == "__main__":
    main()
