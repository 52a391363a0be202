"""Read every byte of a results folder and hold it against headers, recipes, the ledger and stored predictions.

A difference is named, with what it was and what it is. Nothing is changed or deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..artefacts.header import NUM_READERS, read_header
from ..artefacts.ledger import OK, read_record, records
from ..artefacts.scores import read_fit, read_predictions, read_scores
from ..artefacts.store import Content, content_of
from ..config.catalogue import recipe_digest
from ..probing.score import score
from ..runtime import UserError
from .tree import ASIDE, RESUME, Artefact, header_paths, root

LEFTOVERS = (".part", ".tmp")


class Problem(NamedTuple):
    """What does not hold: the file, below the results, and a sentence."""

    file: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """What a look at a results folder found.

    Attributes:
        root: of the tree as its headers say.
        num_artefacts: headers read.
        num_files: files that they list.
        problems: in order of file; empty where everything holds.
    """

    root: str
    num_artefacts: int
    num_files: int
    problems: list[Problem]


def verify(results: Path, quick: bool = False) -> Verdict:
    """Return what holds and what does not.

    Args:
        results: folder of the results.
        quick: trust contents whose size is right and that are no younger than their header; recompute no scores.

    Raises:
        UserError: there is no such folder, or it holds no artefact.
    """
    if not results.is_dir():
        raise UserError(f"{results}: no folder, expected results of this workflow; name the folder in pathvars.results")
    problems: list[Problem] = []
    found: list[Artefact] = []
    for path in header_paths(results):
        try:
            found.append(Artefact(path, read_header(path)))
        except UserError as error:
            problems.append(Problem(_name(results, path), str(error)))
    readable = not problems
    if not found and readable:
        raise UserError(f"{results}: found no artefact, expected results of this workflow; run it first")
    problems += _contents(results, found, quick)
    problems += _recipes(results, found)
    problems += _ancestry(results, found)
    problems += _strangers(results, found)
    if not quick:
        problems += _scores(results, found)
        problems += _ledger(results, found)
    return Verdict(
        root(results) if readable else "",
        len(found),
        sum(len(one.header.contents) for one in found),
        sorted(set(problems)),
    )


def _name(results: Path, path: Path) -> str:
    return path.relative_to(results).as_posix()


def _contents(results: Path, found: list[Artefact], quick: bool) -> Iterator[Problem]:
    """Yield files that are missing, or differ from what was written."""
    listed = [(path, one) for one in found for path in one.files]

    def read(pair: tuple[Path, Artefact]) -> Content | None:
        path, one = pair
        if not path.is_file():
            return None
        stat, expected = path.stat(), one.header.contents[path.name]
        if quick and stat.st_size == expected.size and stat.st_mtime <= one.path.stat().st_mtime + 1:
            return expected
        return content_of(path)

    with ThreadPoolExecutor(NUM_READERS) as pool:
        contents = list(pool.map(read, listed))
    digests = {one.header.contents[path.name].sha256: _name(results, path) for path, one in listed}
    for (path, one), content in zip(listed, contents):
        expected, name = one.header.contents[path.name], _name(results, path)
        if content is None:
            yield Problem(name, f"missing; {expected.size} bytes were written: run the workflow to make it again")
        elif content.size != expected.size:
            yield Problem(name, f"half copied or edited: {content.size} bytes, {expected.size} were written")
        elif content != expected:
            other = digests.get(content.sha256)
            told = f"swapped: it is {other}" if other else "edited or damaged"
            yield Problem(name, f"{told}; SHA-256 {content.sha256[:10]}, {expected.sha256[:10]} was written")


def _recipes(results: Path, found: list[Artefact]) -> Iterator[Problem]:
    """Yield recipes whose digest is not that of what they say."""
    for one in found:
        digest = recipe_digest(one.header.recipe)
        if digest != one.header.digest:
            yield Problem(
                _name(results, one.path), f"its recipe was edited: digest {digest}, it says {one.header.digest}"
            )


def _ancestry(results: Path, found: list[Artefact]) -> Iterator[Problem]:
    """Yield artefacts that were made from other contents than those that lie here."""
    contents = {_name(results, path): sha256 for one in found for path, sha256 in one.files.items()}
    for one in found:
        for name, sha256 in one.header.made_from.items():
            here = contents.get(name)
            if here is not None and here != sha256:
                yield Problem(
                    _name(results, one.path.parent / next(iter(one.header.contents), one.path.name)),
                    f"made from another {name} ({sha256[:10]}, here is {here[:10]}): merged trees, or made again since",
                )


def _strangers(results: Path, found: list[Artefact]) -> Iterator[Problem]:
    """Yield files that no header lists, and what kills left behind."""
    known = {path for one in found for path in (*one.files, one.path)}
    for path in sorted(results.rglob("*")):
        inside = path.relative_to(results).parts
        if not path.is_file() or path in known or inside[0] in (*ASIDE, "report") or RESUME in inside:
            continue
        if inside[-1] in (".lock", ".lock.json"):
            continue
        left = path.suffix in LEFTOVERS
        yield Problem(
            "/".join(inside), "left by a killed job; safe to delete" if left else "foreign: no header lists it"
        )


def _scores(results: Path, found: list[Artefact]) -> Iterator[Problem]:
    """Yield scores that their stored predictions do not give."""
    for one in found:
        path = one.path.with_name("metrics.json")
        if one.header.recipe["noun"] != "scores" or not path.exists():
            continue
        try:
            stored = read_scores(path)
            predictions = read_predictions(path.with_name("predictions.npz"))
            entry, name = one.header.recipe["entry"], one.header.recipe["name"]
            again = score(
                predictions, read_fit(path.with_name("fit.json")), name, stored.digest, entry["num_bootstraps"]
            )
        except (UserError, OSError) as error:
            yield Problem(_name(results, path), f"its scores cannot be computed again: {error}")
            continue
        for metric, value in again.metrics.items():
            kept = stored.metrics.get(metric)
            if kept != value:
                found_mean = None if kept is None else kept.mean
                yield Problem(_name(results, path), f"{metric}: {found_mean}, its predictions give {value.mean}")


def _ledger(results: Path, found: list[Artefact]) -> Iterator[Problem]:
    """Yield damaged records, and artefacts that no successful record wrote."""
    wrote: set[tuple[str, str]] = set()
    any_record = False
    for path in records(results):
        any_record = True
        try:
            record = read_record(path)
        except UserError as error:
            yield Problem(_name(results, path), str(error))
            continue
        if record.status == OK:
            wrote |= {(name, content.sha256) for name, content in record.outputs.items()}
    for one in found if any_record else []:
        for path, sha256 in one.files.items():
            if (_name(results, path), sha256) not in wrote:
                yield Problem(_name(results, path), "no record of the ledger says that a job wrote it")
