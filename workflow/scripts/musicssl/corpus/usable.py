"""Where a listed file lies, and whether enough files of a corpus are usable."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..artefacts.listing import Rejected
from ..config.recipes import Corpus
from ..runtime import UserError

logger = logging.getLogger(__name__)


def locate(recipe: Corpus, file: str) -> Path:
    """Return where a listed file lies."""
    first, _, rest = file.partition("/")
    return Path(recipe.more_roots[first], rest) if rest and first in recipe.more_roots else Path(recipe.root, file)


def enforce_usable(num_usable: int, rejected: Sequence[Rejected], least: float, root: str, table: str | Path) -> float:
    """Return the usable fraction of all audio files.

    Args:
        num_usable: files that give clips.
        rejected: every file set aside.
        least: smallest tolerated fraction.
        root: of the corpus, for the message.
        table: where ``rejected`` was written, for the message.

    Raises:
        UserError: the fraction is below ``least``, or no file is left.
    """
    total = num_usable + len(rejected)
    fraction = num_usable / total if total else 0.0
    if num_usable and fraction >= least:
        return fraction
    for row in rejected:  # the table is lost when Snakemake clears up after the failed job, the log stays
        logger.error("set aside: %s: %s (%s)", row.file, row.reason, row.detail)
    reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(r.reason for r in rejected).most_common())
    raise UserError(
        f"{root}: found {num_usable} usable of {total} audio files ({fraction:.1%}; {reasons}), "
        f"expected at least {least:.1%}; fix or remove the files listed in {Path(table).name} and in the log, "
        "or lower min_usable_fraction of the corpus"
    )
