"""One training step of the 95 M models beside what a user can install: forward, backward, optimizer, the same audio.

Peers: torchaudio's hubert_pretrain_base, s3prl's port of the fairseq model with its own logits (skipped where s3prl is
not installed; an unpacked source archive on PYTHONPATH is enough), and loops over transformers' HubertModel and
Data2VecAudioModel as one writes them after reading its documentation. Each contestant runs alone in a fresh process, so
peak memory is its own; rounds are interleaved, so that all see the same machine; the shortest step counts.

    python benchmarks/pretrain.py --clip-s 5 --clips 2 --clusters 2000 --rounds 3
    python benchmarks/pretrain.py --clip-s 5 --clips 2 --in-turn 6
    python benchmarks/pretrain.py --device cuda --clip-s 30

With ``--in-turn N``: our two paradigms alone, N steps of each in turn in one process, so that their ratio does not hang
on what else the machine did between two processes.

With ``--device cuda``: the same table in bf16, then our step alone with every micro-batch that training would take and
memory holds, compiled and not, and the hours that each model of the paper would take at the best of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from pretrain_steps import CONTESTANTS, LOADED, PAPER, operations, ours, paper_recipe, recipe

from musicssl.config.catalogue import Catalogue
from musicssl.config.load import load
from musicssl.config.recipes import build_kind
from musicssl.costs.flops import context_network
from musicssl.runtime import UserError, peak_resident_bytes
from musicssl.training.batches import plan

WARM, STEPS = 2, 2  # memory takes its place in the first two, so the next two are timed
WARM_GPU, STEPS_GPU = 5, 10  # the first may compile


def measure(name: str, a: argparse.Namespace) -> dict[str, float]:
    """Return seconds of a step and peak memory: on a CPU the fastest step and this process, on a GPU the mean of some
    steps that nobody waits between and the device.

    On one thread of a CPU they are processor seconds, which other work on the machine disturbs less than wall time.
    """
    torch.set_num_threads(a.threads)
    step = CONTESTANTS[name](a)
    for _ in range(WARM if a.device == "cpu" else WARM_GPU):
        step()
    if a.device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        for _ in range(STEPS_GPU):
            step()
        torch.cuda.synchronize()
        taken = (time.perf_counter() - start) / STEPS_GPU
        return {"s": taken, "peak_gb": torch.cuda.max_memory_allocated() / 1e9}
    clock = time.process_time if a.threads == 1 else time.perf_counter
    seconds = []
    for _ in range(10 if name == "matmul" else STEPS):
        start = clock()
        step()
        seconds.append(clock() - start)
    return {"s": min(seconds), "peak_gb": peak_resident_bytes() / 1e9}


def alone(mode: list[str], argv: list[str]) -> dict[str, float] | None:
    """Run one measurement in a process of its own; ``None`` when it failed, whose reason is on stderr."""
    done = subprocess.run([sys.executable, __file__, *argv, *mode], stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def product_rate(a: argparse.Namespace, seconds: float) -> float:
    """Return operations a second of one product of :func:`pretrain_steps.matmul`."""
    return 2 * (8192 if a.device == "cuda" else 2048) ** 3 / seconds


def compete(a: argparse.Namespace, argv: list[str]) -> Iterator[str]:
    """Yield the lines of the table: all contestants, ``--rounds`` times in turn."""
    names = [name for name in CONTESTANTS if not a.only or name in ("matmul", *a.only)]
    best: dict[str, dict[str, float]] = {}
    for turn in range(a.rounds):
        for name in list(names):
            found = alone(["--contestant", name], argv)
            if found is None:
                names.remove(name)
                continue
            logging.info("round %d, %s: %.2f s, %.2f GB", turn + 1, name, found["s"], found["peak_gb"])
            before = best.setdefault(name, found)
            best[name] = {key: min(before[key], found[key]) for key in found}
    audio = a.clips * a.clip_s
    product = product_rate(a, best.pop("matmul")["s"])
    loading = best.pop("loader", None)
    yield f"{a.clips} clips of {a.clip_s:g} s, k = {a.clusters}, {a.threads} thread(s)"
    yield f"Bare products: {product / 1e9:.0f} GFLOP/s\n"
    yield "| step | s per s of audio | peak memory, GB | share of the product rate | time over ours |"
    yield "|---|---|---|---|---|"
    for name, values in best.items():
        paradigm = name.split("_")[1]
        work = operations(recipe(paradigm, a)) * audio
        if name.endswith("without_teacher"):
            entry = recipe(paradigm, a)
            work -= context_network(entry.architecture, a.clip_s) * audio
        rival = best.get(name if name.startswith("ours") else f"ours_{paradigm}", values)
        yield (
            f"| {name.replace('_', ' ')} | {values['s'] / audio:.3f} | {values['peak_gb']:.2f} | "
            f"{100 * work / values['s'] / product:.0f} % | {values['s'] / rival['s']:.2f} x |"
        )
    if loading:
        rate = LOADED * audio / loading["s"]
        faster = rate * best["ours_hubert"]["s"] / audio if "ours_hubert" in best else float("nan")
        yield f"\nThe loader alone gives {rate:.0f} s of audio a second: {faster:.0f} x what the step above takes."


def in_turn(a: argparse.Namespace) -> Iterator[str]:
    """Yield how long data2vec's step takes over HuBERT's, pair by pair and for the fastest of each."""
    torch.set_num_threads(a.threads)
    steps = {paradigm: ours(paradigm, a)[1] for paradigm in PAPER}
    seconds: dict[str, list[float]] = {paradigm: [] for paradigm in PAPER}
    for turn in range(WARM + a.in_turn):
        for paradigm, step in steps.items():
            start = time.perf_counter()
            step()
            if turn >= WARM:
                seconds[paradigm].append(time.perf_counter() - start)
    pairs = sorted(slow / fast for fast, slow in zip(seconds["hubert"], seconds["data2vec"]))
    fastest = {paradigm: min(taken) / (a.clips * a.clip_s) for paradigm, taken in seconds.items()}
    yield f"{a.clips} clips of {a.clip_s:g} s, {a.threads} thread(s), {a.in_turn} steps of each in turn in one process"
    yield ", ".join(f"{paradigm} {value:.3f}" for paradigm, value in fastest.items()) + " s per s of audio"
    yield (
        f"data2vec over HuBERT: {fastest['data2vec'] / fastest['hubert']:.2f} x for the fastest, "
        f"{pairs[0]:.2f} to {pairs[-1]:.2f} pair by pair, median {statistics.median(pairs):.2f}"
    )


# ---------------------------------------------------------------- one GPU


def micro_batches(paradigm: str, a: argparse.Namespace) -> Iterator[int]:
    """Yield the clips that training lets go through the model together, fewest first."""
    entry = replace(paper_recipe(paradigm), crop_s=a.clip_s)
    for clips in range(1, round(entry.batch.global_s / a.clip_s) + 1):
        with contextlib.suppress(UserError):
            yield plan(entry, clips * a.clip_s).micro


def survey(a: argparse.Namespace, argv: list[str]) -> Iterator[str]:
    """Yield the table of :func:`compete`, a line for every micro-batch that fits, and the hours of the paper's models
    at the best of them."""
    yield f"{torch.cuda.get_device_name()}, bf16\n"
    yield from compete(a, argv)
    products = alone(["--contestant", "matmul"], argv)
    assert products is not None
    rate = product_rate(a, products["s"])
    yield "\n| paradigm | clips | compiled | s of audio a second | share of bf16 products | peak memory, GB |"
    yield "|---|---|---|---|---|---|"
    best: dict[str, float] = {}
    for paradigm in PAPER:
        for flags in ([], ["--compile"]):
            for clips in micro_batches(paradigm, a):
                found = alone(["--contestant", f"ours_{paradigm}", *flags, "--clips", str(clips)], argv)
                if found is None:
                    break
                audio_rate = clips * a.clip_s / found["s"]
                share = audio_rate * operations(recipe(paradigm, a)) / rate
                best[paradigm] = max(best.get(paradigm, 0.0), audio_rate)
                yield (
                    f"| {paradigm} | {clips} | {'yes' if flags else 'no'} | {audio_rate:.0f} | {100 * share:.0f} % | "
                    f"{found['peak_gb']:.1f} |"
                )
    catalogue = Catalogue(load()[0])
    yield "\n| model | hours of one such GPU at the best rate |\n|---|---|"
    for name in catalogue.trained:
        entry = build_kind(catalogue.entry("models", name))
        same = operations(recipe(entry.kind, a)) / operations(entry)  # other clips, other work
        if entry.kind in best:
            hours = entry.updates * entry.batch.global_s / (best[entry.kind] * same) / 3600
            yield f"| {name} | {hours:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--clip-s", type=float, default=5.0)
    parser.add_argument("--clips", type=int, default=2, help="a step")
    parser.add_argument("--clusters", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-turn", type=int, default=0, metavar="N", help="our two paradigms alone, N steps each")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=[])
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--compile", action="store_true", help="torch compiles the layers of ours")
    a = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if a.contestant:
        print(json.dumps(measure(a.contestant, a)))
        return
    table = in_turn if a.in_turn else partial(survey if a.device == "cuda" else compete, argv=sys.argv[1:])
    for line in table(a):
        print(line, flush=True)


if __name__ == "__main__":
    main()
