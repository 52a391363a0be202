"""``musicssl verify RESULTS``: does everything in a results folder hold?"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from ..provenance.verify import verify
from ..runtime import UserError, start_log


def main(argv: list[str] | None = None) -> int:
    """Print what does not hold, and the root of the tree; return 0 only if everything holds."""
    parser = argparse.ArgumentParser(prog="musicssl verify", description=__doc__)
    parser.add_argument("results", type=Path, help="folder of results, such as results/miniature")
    parser.add_argument("--quick", action="store_true", help="trust sizes and times; compute no score again")
    arguments = parser.parse_args(argv)
    start_log(None, quiet=True)
    start = time.monotonic()
    try:
        found = verify(arguments.results, arguments.quick)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    for problem in found.problems:
        print(f"{problem.file}: {problem.what}")
    verdict = f"{len(found.problems)} problems" if found.problems else "everything holds"
    looked = "looked at" if arguments.quick else "read"
    seconds = time.monotonic() - start
    print(f"{looked} {found.num_files} files of {found.num_artefacts} artefacts in {seconds:.1f} s: {verdict}")
    print(f"root {found.root or 'unknown: a header is damaged'}")
    return 1 if found.problems else 0
