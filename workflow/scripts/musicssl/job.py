"""The one door of every job: log, ledger record, verified inputs, a header beside what came out, errors as sentences.

``run(main, snakemake)`` is how every script starts.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import machine, runtime
from .artefacts.header import NAME, Header, verify
from .artefacts.ledger import FAILED, OK, Record, read_record
from .artefacts.store import written_content

logger = logging.getLogger(__name__)
HEADER_SUFFIX = NAME


@dataclass
class Job:
    """One job of one rule, as plain values.

    Attributes:
        rule: name of the rule.
        names: values of its wildcards, in order.
        recipe: what is asked; empty for jobs that make no artefact.
        inputs: files to verify and hash; an artefact's header is read with it.
        outputs: files that will be there; one of them may be a header (``recipe.json`` or ``<stem>.recipe.json``).
        results: folder of the results.
        log: its log file, appended to.
        threads: that it was given.
    """

    rule: str
    names: list[str]
    recipe: dict[str, Any]
    inputs: list[str]
    outputs: list[str]
    results: str
    log: str | None = None
    threads: int = 1
    made_from: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Rule and names, as logs say them."""
        return " ".join([self.rule, *self.names])

    def key(self, path: str | Path) -> str:
        """Return a path below the results folder, or as it was given where it lies elsewhere."""
        whole, root = Path(path).absolute(), Path(self.results).absolute()
        return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(path)


_current: Record | None = None


def note(**facts: Any) -> None:
    """Add facts to the record of the job that runs, such as the stretches of a training run; elsewhere, nothing."""
    if _current is not None:
        _current.facts.update(facts)


def accepted(recipe: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of a recipe and of all that it was made from, each with "noun/name" of its entry."""
    found = {recipe["digest"]: f"{recipe['noun']}/{recipe['name']}"}
    for one in recipe["inputs"].values():
        found |= accepted(one)
    return found


@contextlib.contextmanager
def attempt(job: Job, record_path: str | Path | None = None) -> Iterator[Record]:
    """Do the work of a job inside: its record is begun before and completed after, and headers are written.

    Args:
        job: what is done.
        record_path: of a record that an earlier process of the same attempt began; else a new one is.

    Raises:
        SystemExit: the work failed; the log has the sentence, or the traceback of a defect.
    """
    global _current
    runtime.start_log(job.log, job.title)
    start, record = time.monotonic(), Record(job.rule, job.names, recipe=job.recipe.get("digest", ""))
    path = None if record_path is None else Path(record_path)
    logger.info("begins at %s, recipe %s, commit %s", _now(), record.recipe or "-", machine.revision())
    try:
        if path is None:
            record.about = {"began": _now(), **machine.surroundings()}
            path = record.begin(job.results)
        else:
            record = read_record(path)
        _current = record
        record.inputs = {
            job.key(name): content
            for name, content in verify(job.inputs, accepted(job.recipe) if job.recipe else None).items()
        }
        job.made_from = {name: content.sha256 for name, content in record.inputs.items()}
        yield record
        _write_headers(job)
        record.outputs = {job.key(name): written_content(name) for name in job.outputs if Path(name).is_file()}
        record.status = OK
    except runtime.UserError as error:
        record.status, record.error = FAILED, str(error)
        logger.error("failed: %s", error)
        raise SystemExit(1) from None
    except OSError as error:
        record.status, record.error = FAILED, _sentence(error)
        logger.error("failed: %s", record.error)
        raise SystemExit(1) from None
    except SystemExit as stop:
        record.status, record.error = FAILED, f"stopped with exit code {stop.code}"
        raise
    except Exception as error:
        record.status, record.error = FAILED, f"{type(error).__name__}: {error}"
        logger.exception("failed; this is a defect of the workflow or its environment")
        raise SystemExit(1) from None
    finally:
        _current = None
        record.about |= {"ended": _now(), **machine.surroundings(), **_usage(start)}
        if path is not None:
            with contextlib.suppress(OSError):  # a full disk hides no reason of the job's own
                record.write(path)
    logger.info("done in %.1f s", time.monotonic() - start)


def _sentence(error: OSError) -> str:
    """Return what the operating system refused, and what to do."""
    cures = {
        errno.ENOSPC: "free space there",
        errno.EDQUOT: "free quota there",
        errno.EROFS: "make the file system writable",
        errno.EACCES: "change its permissions",
        errno.EPERM: "change its permissions",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
        errno.ENOENT: "look whether it was moved or deleted",
    }
    cure = cures.get(error.errno or 0, "look at the disk and its permissions")
    return f"{error.filename or 'a file'}: {error.strerror or error}; {cure} and run the same command again"


def _write_headers(job: Job) -> None:
    """Write the header of what came out, if the rule declares one."""
    headers = [path for path in job.outputs if Path(path).name.endswith(HEADER_SUFFIX)]
    if not headers:
        return
    (path,) = headers
    folder = Path(path).parent
    files = [Path(name) for name in job.outputs if name != path]
    contents = {file.relative_to(folder).as_posix(): written_content(file) for file in files if file.is_file()}
    Header(job.recipe, job.made_from, contents).write(path)


def _usage(start: float) -> dict[str, Any]:
    """Return wall and CPU seconds (children included) and peak memory in bytes."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "wall_s": round(time.monotonic() - start, 3),
        "cpu_s": round(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 3),
        "peak_bytes": runtime.peak_resident_bytes(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def run(main: Callable[[Any], None], snakemake: Any) -> None:
    """Run a rule's ``main(snakemake)``.

    Args:
        main: unpacks the job, makes one library call, writes.
        snakemake: the object Snakemake gives to ``script:`` files.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(snakemake.threads))
    runtime.die_with_program("snakemake")
    with attempt(of_snakemake(snakemake)):
        main(snakemake)


def of_snakemake(snakemake: Any) -> Job:
    """Return the job that Snakemake describes."""
    return Job(
        rule=snakemake.rule,
        names=[str(value) for value in snakemake.wildcards],
        recipe=dict(snakemake.params).get("recipe") or {},
        inputs=_flat(snakemake.input),
        outputs=_flat(snakemake.output),
        results=snakemake.config["pathvars"]["results"],
        log=str(snakemake.log[0]) if len(snakemake.log) else None,
        threads=snakemake.threads,
    )


def _flat(files: Sequence[Any]) -> list[str]:
    return [str(path) for path in files]
