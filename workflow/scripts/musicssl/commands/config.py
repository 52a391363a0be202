"""``python -m musicssl config``: print, compare and check entries of the configuration, and plan what they cost."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..config.catalogue import Catalogue
from ..config.check import TABLES, table_of
from ..config.inherit import ConfigError, Path, leaves, nearest, resolve
from ..config.load import ROOT, load
from ..costs import plan


def find(config: dict[str, Any], name: str) -> tuple[str, str]:
    """Return the table and entry meant by ``entry`` or ``table.entry``.

    Raises:
        ConfigError: there is none, or several tables have one.
    """
    noun, _, rest = name.partition(".")
    nouns = [noun] if noun in TABLES and rest else list(TABLES)
    entry = rest if noun in TABLES and rest else name
    found = [noun for noun in nouns if entry in table_of(config, noun)]
    if len(found) == 1:
        return found[0], entry
    if found:
        raise ConfigError([f"{name}: is in several tables; say " + " or ".join(f"{noun}.{entry}" for noun in found)])
    raise ConfigError([f"{name}: no such entry{nearest(entry, {e for noun in nouns for e in table_of(config, noun)})}"])


def described(config: dict[str, Any], files: dict[Path, str], name: str) -> dict[str, tuple[Any, str]]:
    """Return every dotted key of an entry with its value and the entry and file it came from."""
    noun, entry = find(config, name)
    values, origin = resolve(table_of(config, noun), entry)
    rows = {}
    for path, value in leaves(values).items():
        source = origin[path]
        where = (noun, *path) if noun == "miniature" else (noun, source, *path)
        rows[".".join(path)] = (value, f"{noun}.{source}, {files.get(where, 'command line')}")
    return rows


def show(config: dict[str, Any], files: dict[Path, str], name: str) -> list[str]:
    """Return one line per value of an entry, and its digest."""
    noun, entry = find(config, name)
    rows = described(config, files, name)
    left = max(map(len, rows), default=0)
    middle = max((len(str(value)) for value, _ in rows.values()), default=0)
    lines = [f"{key:<{left}}  {value!s:<{middle}}  # {source}" for key, (value, source) in rows.items()]
    catalogue = Catalogue(config)
    if noun in ("corpora", "models", "tasks") and entry in catalogue.names(noun):
        lines.append(f"{'digest':<{left}}  {catalogue.recipe(noun, entry)['digest']}")
    return [f"{noun}.{entry}", *("  " + line for line in lines)]


def diff(config: dict[str, Any], files: dict[Path, str], one: str, other: str) -> list[str]:
    """Return one line per key whose value differs between two entries."""
    a, b = described(config, files, one), described(config, files, other)
    missing = ("-", "")
    keys = [key for key in {**a, **b} if a.get(key, missing)[0] != b.get(key, missing)[0]]
    if not keys:
        return [f"{one} and {other} have the same values"]
    width = max(map(len, keys))
    return [f"{key:<{width}}  {a.get(key, missing)[0]!s}  ->  {b.get(key, missing)[0]!s}" for key in keys]


def planned(catalogue: Catalogue, name: str, hours: float | None, tflops: float) -> list[str]:
    """Return the cost of a model or study as a table, beside what its jobs took where they have run."""
    paths = catalogue.config["pathvars"]
    by_corpus = plan.corpus_hours(catalogue, ROOT / paths["results"], hours)
    stages = plan.plan(catalogue, name, by_corpus, tflops * 1e12)
    return plan.lines(stages, ROOT / paths["benchmarks"])


def main(argv: list[str] | None = None) -> int:
    """Run the command line; problems are printed one a line and the exit status is 1."""
    parser = argparse.ArgumentParser(prog="python -m musicssl config", description=__doc__)
    parser.add_argument("--configfile", action="append", default=[], help="overlay, as given to snakemake; repeatable")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="validate everything")
    commands.add_parser("show", help="print an entry, each value with its origin").add_argument("entry")
    pair = commands.add_parser("diff", help="print what differs between two entries")
    pair.add_argument("one")
    pair.add_argument("other")
    cost = commands.add_parser("plan", help="print hours, memory and disk of a model or study, stage by stage")
    cost.add_argument("entry")
    cost.add_argument("--hours", type=float, help="of audio in the corpus (default: as counted, or as its entry says)")
    cost.add_argument("--tflops", type=float, default=100.0, help="what a GPU does in a second, in 1e12 (default: 100)")
    args = parser.parse_args(argv)
    try:
        config, files = load(args.configfile)
        if args.command == "show":
            lines = show(config, files, args.entry)
        elif args.command == "diff":
            lines = diff(config, files, args.one, args.other)
        elif args.command == "plan":
            lines = planned(Catalogue(config), args.entry, args.hours, args.tflops)
        else:
            catalogue = Catalogue(config)
            counts = [f"{len(catalogue.names(noun))} {noun}" for noun in TABLES if noun != "miniature"]
            lines = ["the configuration is sound: " + ", ".join(counts)]
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0
