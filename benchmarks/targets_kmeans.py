"""K-means and label assignment against their peers, on the same frames, in one run.

Peers: fairseq's recipe (scikit-learn MiniBatchKMeans with the arguments of examples/hubert/simple_kmeans), faiss.Kmeans
from the same start, scikit-learn's k-means++ and fairseq's NumPy label dump. Every contestant runs alone in a fresh
process, so peak memory is its own. Frames are MFCC (or a layer of an untrained encoder) of the music in a folder;
without one they are synthetic: smooth latent paths, mixed non-linearly, with noise.

    python benchmarks/targets_kmeans.py --music FOLDER --hours 20 --k 2000 --dim 39
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from musicssl.artefacts.ragged import RaggedWriter, open_all
from musicssl.config.recipes import Labels
from musicssl.runtime import peak_resident_bytes
from musicssl.targets.assign import write_labels
from musicssl.targets.kmeans.blocks import BLOCK_ROWS, Rows, cut
from musicssl.targets.kmeans.executors import open_executor
from musicssl.targets.kmeans.lloyd import fit, lloyd
from musicssl.targets.kmeans.seeding import distinct, seed_centroids

ITERATIONS = 5
SEED_ROWS = 30_000  # scikit-learn's init_size at batch 10 000
CLIP_S = 30


def recipe(num_clusters: int, tolerance: float) -> Labels:
    """Return the labels recipe that is timed."""
    sampling = {"num_restarts": 2, "seed": 0, "reseed_empty": True}
    stopping = {"max_iterations": 100, "tolerance": tolerance}
    return Labels(features="synthetic", num_clusters=num_clusters, **sampling, **stopping)


def synthesise(folder: Path, hours: float, width: int) -> None:
    """Write ``hours`` of frames as shards of 100 clips: MFCC-like float32 at 100 Hz, or 768 wide float16 at 50 Hz."""
    rng = np.random.default_rng(0)
    rate, dtype = (50, np.float16) if width >= 512 else (100, np.float32)
    mix = [rng.normal(0, 1, (24, width)), rng.normal(0, 2, (24, width))]
    num_clips = max(1, round(hours * 3600 / CLIP_S))
    for shard, first in enumerate(range(0, num_clips, 100)):
        count = min(100, num_clips - first)
        with RaggedWriter(folder / f"{shard:03d}.npy", dtype, (width,), "bench", frame_rate_hz=rate) as writer:
            for clip in range(count):
                steps = rng.normal(0, 1, (CLIP_S * rate, 24)) * rng.gamma(1, 0.2, 24)
                latent = 6 * np.sin(np.cumsum(steps, axis=0) / 8 + rng.uniform(0, 7, 24))
                frames = latent @ mix[0] + np.maximum(latent, 0) @ mix[1] + rng.normal(0, 6, (len(latent), width))
                writer.append(f"{first + clip}", frames + 20)


def extract(folder: Path, hours: float, width: int, music: str, threads: int) -> None:
    """Write frames of real music, all its clips in turn, again and again: MFCC, or layer 6 of an untrained encoder.

    From the second time round a little noise (1 % of each dimension's deviation) keeps the frames distinct.
    """
    rng = np.random.default_rng(0)
    rate, dtype = (50, np.float16) if width >= 512 else (100, np.float32)
    clips = [vectors for vectors in real_clips(width, music, hours, threads) if len(vectors) >= CLIP_S * rate // 2]
    noise = np.float32(0.01) * np.concatenate(clips[:20]).std(axis=0, dtype=np.float32)
    num_frames, clip, shard = round(hours * 3600 * rate), 0, 0
    while num_frames > 0:
        with RaggedWriter(folder / f"{shard:03d}.npy", dtype, (width,), "bench", frame_rate_hz=rate) as writer:
            while num_frames > 0 and len(writer.ids) < 100:
                frames = clips[clip % len(clips)][:num_frames].astype(np.float32)
                if clip >= len(clips):
                    frames += noise * rng.standard_normal(frames.shape, dtype=np.float32)
                writer.append(str(clip), frames)
                num_frames, clip = num_frames - len(frames), clip + 1
        shard += 1


def real_clips(width: int, music: str, hours: float, threads: int) -> list[Any]:
    """Return frame vectors of real clips, enough for ``hours`` or all there are (15 minutes through the encoder)."""
    from musicssl.config.recipes import Corpus
    from musicssl.corpus.crop import crop_shard
    from musicssl.corpus.scan import scan

    corpus = Corpus(
        root=music, sample_rate_hz=16000, clip_s=CLIP_S, min_clip_s=CLIP_S, min_file_s=1.0, silence_dbfs=-70.0,
        min_usable_fraction=0.0, valid_fraction=0.0, num_shards=1, seed=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        crop_shard(scan(corpus, threads)[0], corpus, "bench", Path(name, "audio.npy"))
        audio = open_all([Path(name, "audio.npy")])[0]
        if width < 512:
            import torch

            from musicssl.geometry import to_float32
            from musicssl.signal.mfcc import mfcc

            waves = (torch.from_numpy(to_float32(audio[i])) for i in range(min(len(audio), round(hours * 120))))
            return [mfcc(wave[None], width // 3, 23)[0].numpy() for wave in waves]
        return layer_six(audio, min(len(audio), 30), threads)


def layer_six(audio: Any, count: int, threads: int) -> list[Any]:
    """Return layer 6 (T, 768) float16 of an untrained HuBERT base for the first clips."""
    import torch
    from transformers import HubertConfig, HubertModel

    from musicssl.geometry import to_float32
    from musicssl.models import layer_output

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    encoder = HubertModel(HubertConfig()).eval()
    waves = (torch.from_numpy(to_float32(audio[i]))[None] for i in range(count))
    with torch.no_grad():
        return [layer_output(encoder, wave, 6)[0].numpy().astype(np.float16) for wave in waves]


def load(folder: Path) -> Any:
    return open_all(sorted(folder.glob("[0-9]*.npy")))


def in_memory(folder: Path) -> Any:
    """Return all frames in one float32 array."""
    return np.concatenate([np.asarray(shard.data, np.float32) for shard in load(folder)])


def timed(call: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    value = call()
    return value, time.perf_counter() - start


def best_of(call: Any, times: int = 5) -> float:
    """Return the shortest of some runs, in seconds: short work suffers most from neighbours."""
    return min(timed(call)[1] for _ in range(times))


def inertia_of(frames: Any, centroids: Any) -> float:
    """Return the mean squared distance in float64, by a search both contestants share (faiss)."""
    import faiss

    index = faiss.IndexFlatL2(frames.shape[1])
    index.add(np.ascontiguousarray(centroids, np.float32))
    total = 0.0
    for tile in np.array_split(frames, len(frames) // 8192 + 1):
        near = centroids[index.search(np.ascontiguousarray(tile), 1)[1][:, 0]]
        total += float(np.square(tile - near, dtype=np.float64).sum())
    return total / len(frames)


# ---------------------------------------------------------------- contestants: each returns plain values


class Iterations(logging.Handler):
    """Notes when k-means logged which inertia of all frames."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.seen = time.perf_counter(), []

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith(("restart", "refined")):
            self.seen.clear()  # what came before was on the sample
        elif record.msg.startswith("iteration"):
            self.seen.append((time.perf_counter() - self.began, float(record.args[1])))


def fit_ours(folder: Path, k: int, threads: int) -> dict[str, Any]:
    noted = Iterations()
    logging.getLogger("musicssl.targets.kmeans.lloyd").addHandler(noted)
    with open_executor("threads", threads) as executor:
        (centroids, report), seconds = timed(lambda: fit(load(folder), recipe(k, 1e-3), executor, executor))
    peak = peak_mb()
    inertia = inertia_of(in_memory(folder), centroids)
    return {"s": seconds, "peak_mb": peak, "inertia": inertia, "report": report, "steps": noted.seen}


def fit_fairseq(folder: Path, k: int, threads: int) -> dict[str, Any]:
    from sklearn.cluster import MiniBatchKMeans

    np.random.seed(0)  # noqa: NPY002 (fairseq's)
    frames = in_memory(folder)
    model = MiniBatchKMeans(
        n_clusters=k,
        init="k-means++",
        max_iter=100,
        batch_size=10_000,
        verbose=0,
        compute_labels=False,
        tol=0.0,
        max_no_improvement=100,
        init_size=None,
        n_init=20,
        reassignment_ratio=0.0,
    )
    _, seconds = timed(lambda: model.fit(frames))
    peak = peak_mb()
    return {
        "s": seconds,
        "peak_mb": peak,
        "inertia": inertia_of(frames, model.cluster_centers_),
        "steps": model.n_steps_,
    }


def iteration_ours(folder: Path, k: int, threads: int) -> dict[str, Any]:
    shards = load(folder)
    blocks = cut([Rows(str(shard.path), 0, len(shard.data)) for shard in shards], BLOCK_ROWS)
    energy = float(sum(np.square(shard.data, dtype=np.float64).sum() for shard in shards))
    start = first_centroids(shards, k)
    with open_executor("threads", threads) as executor:
        found, seconds = timed(lambda: lloyd(blocks, start, energy, recipe(k, -1.0), ITERATIONS + 1, executor))
    return {"s": seconds / (ITERATIONS + 1), "inertia": found.inertia[-1]}


def iteration_faiss(folder: Path, k: int, threads: int) -> dict[str, Any]:
    import faiss

    faiss.omp_set_num_threads(threads)
    frames = in_memory(folder)
    start = first_centroids(load(folder), k)
    model = faiss.Kmeans(frames.shape[1], k, niter=ITERATIONS, max_points_per_centroid=len(frames), seed=0)
    _, seconds = timed(lambda: model.train(frames, init_centroids=start))
    return {"s": seconds / ITERATIONS, "inertia": inertia_of(frames, model.centroids)}


def memory_small(folder: Path, k: int, threads: int) -> dict[str, Any]:
    """Fit the first tenth of the shards (at least one)."""
    return memory_of(load(folder)[: max(1, len(load(folder)) // 10)], k, threads)


def memory_large(folder: Path, k: int, threads: int) -> dict[str, Any]:
    return memory_of(load(folder), k, threads)


def memory_of(shards: Any, k: int, threads: int) -> dict[str, Any]:
    """Return the most private memory of a fit, sampled; mapped files are given back when others need the room."""
    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            status = Path("/proc/self/status").read_text()
            peak = max(peak, int(status.partition("RssAnon:")[2].split()[0]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with open_executor("threads", threads) as executor:
        fit(shards, dataclasses.replace(recipe(k, 1e-3), max_iterations=3), executor, executor)
    done.set()
    watcher.join()
    return {"peak_mb": peak / 1024, "frames": sum(len(shard.data) for shard in shards)}


def first_centroids(shards: Any, k: int) -> Any:
    frames = shards[0].data
    return np.asarray(frames[np.linspace(0, len(frames) - 1, k).astype(int)], np.float32)


def seeding_ours(folder: Path, k: int, threads: int) -> dict[str, Any]:
    frames = seed_frames(folder)

    def seed() -> Any:
        return seed_centroids(*distinct(frames), k, np.random.default_rng(0), executor)

    with open_executor("threads", threads) as executor:
        centroids, seconds = timed(seed)
    return {"s": seconds, "inertia": inertia_of(frames, centroids)}


def seeding_sklearn(folder: Path, k: int, threads: int) -> dict[str, Any]:
    from sklearn.cluster import kmeans_plusplus

    frames = seed_frames(folder)
    (centroids, _), seconds = timed(lambda: kmeans_plusplus(frames, k, random_state=0))
    return {"s": seconds, "inertia": inertia_of(frames, centroids)}


def seed_frames(folder: Path) -> Any:
    frames = in_memory(folder)
    return frames[np.random.default_rng(0).permutation(len(frames))[:SEED_ROWS]]


def assign_ours(folder: Path, k: int, threads: int) -> dict[str, Any]:
    shard = load(folder)[0]
    centroids = first_centroids([shard], k)
    with open_executor("threads", threads) as executor:
        seconds = best_of(
            lambda: write_labels(clips_of(shard), centroids, folder / "out" / "labels.npy", "bench", executor)
        )
    return {"frames_per_s": len(shard.data) / seconds, "peak_mb": peak_mb()}


def clips_of(shard: Any) -> Any:
    return zip(shard.ids, map(shard.__getitem__, range(len(shard))), strict=True)


def assign_fairseq(folder: Path, k: int, threads: int) -> dict[str, Any]:
    """The NumPy path of dump_km_label.py, clip by clip, without its text output."""
    shard = load(folder)[0]
    columns = first_centroids([shard], k).T.copy()
    norms = (columns**2).sum(0, keepdims=True)

    def dump() -> None:
        for clip in range(len(shard)):
            x = np.asarray(shard[clip], np.float32)
            np.argmin((x**2).sum(1, keepdims=True) - 2 * np.matmul(x, columns) + norms, axis=1)

    seconds = best_of(dump)
    return {"frames_per_s": len(shard.data) / seconds, "peak_mb": peak_mb()}


def matmul(folder: Path, k: int, threads: int) -> dict[str, Any]:
    """The bare float32 product of the same shapes, all threads."""
    shard = load(folder)[0]
    frames = np.ascontiguousarray(shard.data[:BLOCK_ROWS], np.float32)
    columns = first_centroids([shard], k).T.copy()
    out = np.empty((len(frames), k), np.float32)
    seconds = best_of(lambda: np.matmul(frames, columns, out=out))
    return {"frames_per_s": len(frames) / seconds}


CONTESTANTS = {
    f.__name__: f
    for f in (
        *(fit_ours, fit_fairseq, iteration_ours, iteration_faiss, seeding_ours, seeding_sklearn),
        *(assign_ours, assign_fairseq, matmul, memory_large, memory_small),
    )
}
ROUNDS = {
    "fit": ("fit_ours", "fit_fairseq"),
    "iteration": ("iteration_ours", "iteration_faiss"),
    "seeding": ("seeding_ours", "seeding_sklearn"),
    "assign": ("assign_ours", "assign_fairseq", "matmul"),
    "memory": ("memory_large", "memory_small"),
}


def peak_mb() -> float:
    """Return this process' peak resident memory so far, page cache of mapped files included."""
    return peak_resident_bytes() / 2**20


def compete(name: str, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run one contestant alone and return what it measured."""
    flags = [
        "--k",
        str(arguments.k),
        "--threads",
        str(arguments.threads),
        "--contestant",
        name,
        "--folder",
        str(folder),
    ]
    done = subprocess.run([sys.executable, __file__, *flags], stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    logging.info("%s: %s", name, {key: value for key, value in result.items() if key != "report"})
    return result


def rows(title: str, results: list[dict[str, Any]], features_mb: float, k: int, width: int) -> list[str]:
    """Return the table rows of one round: what, ours, peer, ratio."""
    ours, peer = results[:2]
    if title == "assign":
        product = results[2]["frames_per_s"]
        rate = 2 * k * width / 1e9
        return [
            f"| assign vs fairseq's NumPy, kframes/s | {ours['frames_per_s'] / 1e3:.0f} | "
            f"{peer['frames_per_s'] / 1e3:.0f} | {ours['frames_per_s'] / peer['frames_per_s']:.2f} x |",
            f"| assign vs bare matmul, GFLOP/s | {ours['frames_per_s'] * rate:.0f} | {product * rate:.0f} | "
            f"{100 * ours['frames_per_s'] / product:.0f} % |",
        ]
    if title == "memory":
        return [
            f"| private memory of a fit, {ours['frames']:,} and {peer['frames']:,} frames, MB | "
            f"{ours['peak_mb']:.0f} | {peer['peak_mb']:.0f} | {ours['peak_mb'] / peer['peak_mb']:.2f} x |"
        ]
    peers = {"fit": "fairseq's recipe", "iteration": "faiss.Kmeans", "seeding": "scikit-learn k-means++"}
    lines = [
        f"| {title} vs {peers[title]}, s | {ours['s']:.2f} | {peer['s']:.2f} | {peer['s'] / ours['s']:.2f} x |",
        "| {}: inertia | {:.3f} | {:.3f} | {:.4f} |".format(
            *(title, ours["inertia"], peer["inertia"], ours["inertia"] / peer["inertia"])
        ),
    ]
    if title == "fit":
        reached = [seconds for seconds, inertia in ours["steps"] if inertia <= peer["inertia"]]
        if reached:
            lines.append(
                f"| fit: s until inertia is no worse than the peer's | {reached[0]:.2f} | {peer['s']:.2f} | "
                f"{peer['s'] / reached[0]:.2f} x |"
            )
        above, other = ours["peak_mb"] - features_mb, peer["peak_mb"] - features_mb
        lines.append(f"| fit: peak memory above {features_mb:.0f} MB of features, MB | {above:.0f} | {other:.0f} | |")
        lines.append(
            f"| fit: assignments of all frames / steps | {len(ours['report']['inertia'])} | {peer['steps']} | |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--music", help="folder of audio files; synthetic frames without one")
    parser.add_argument("--hours", type=float, default=1.0, help="audio the frames stand for")
    parser.add_argument("--k", type=int, default=2000, help="clusters")
    parser.add_argument("--dim", type=int, default=39, help="width; from 512 on, 50 Hz and float16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=ROUNDS, default=list(ROUNDS))
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if arguments.contestant:
        measured = CONTESTANTS[arguments.contestant](arguments.folder, arguments.k, arguments.threads)
        print(json.dumps(measured))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.music:
            extract(folder, arguments.hours, arguments.dim, arguments.music, arguments.threads)
        else:
            synthesise(folder, arguments.hours, arguments.dim)
        num_frames = sum(len(shard.data) for shard in load(folder))
        features_mb = sum(shard.data.nbytes for shard in load(folder)) / 2**20
        source = "music" if arguments.music else "synthetic"
        title = f"k = {arguments.k}, width {arguments.dim}, {num_frames} frames ({source}), {arguments.threads} threads"
        print(f"### {title}\n")
        print("| what | ours | peer | ratio |\n|---|---|---|---|", flush=True)
        for title in arguments.only:
            results = [compete(contestant, arguments, folder) for contestant in ROUNDS[title]]
            print("\n".join(rows(title, results, features_mb, arguments.k, arguments.dim)), flush=True)


if __name__ == "__main__":
    main()
