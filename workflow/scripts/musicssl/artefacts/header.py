"""Headers: beside every artefact one ``recipe.json``, written by the job that wrote the artefact, after it.

It says what was asked (the recipe), what it was made from (content digests of the inputs) and what came out (content
digests of the files). Equal runs write equal headers: nothing of machine, time or place is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..runtime import UserError
from .store import Content, content_of, read_object, write_json

FORMAT = "musicssl/2"
NAME = "recipe.json"
NUM_READERS = 8


@dataclass(frozen=True)
class Header:
    """What is said of one artefact.

    Attributes:
        recipe: what was asked: ``noun``, ``name``, ``digest``, ``entry``, ``versions`` and ``inputs``.
        made_from: SHA-256 of each input, by its path below the results folder, or as the configuration names it.
        contents: digest and size of each file of the artefact, by name.
    """

    recipe: dict[str, Any]
    made_from: dict[str, str]
    contents: dict[str, Content]

    @property
    def digest(self) -> str:
        """The recipe digest."""
        return str(self.recipe["digest"])

    def write(self, path: str | Path) -> None:
        """Write the header; the artefact's files must carry their final names by then."""
        contents = {name: content._asdict() for name, content in sorted(self.contents.items())}
        made_from = dict(sorted(self.made_from.items()))
        write_json(path, {"format": FORMAT, **asdict(self), "made_from": made_from, "contents": contents})


def read_header(path: str | Path) -> Header:
    """Read a header.

    Raises:
        UserError: it is missing, damaged, or of another edition of the workflow.
    """
    value = read_object(path)
    if value.get("format") != FORMAT:
        raise UserError(
            f"{path}: of another edition of this workflow (format {value.get('format', 'of the first edition')!r}, "
            f"expected {FORMAT!r}), whose results are not read; move the results folder away and run the workflow"
        )
    try:
        contents = {name: Content(**content) for name, content in value["contents"].items()}
        header = Header(value["recipe"], value["made_from"], contents)
        assert isinstance(header.recipe["digest"], str)
    except (KeyError, TypeError, AttributeError, AssertionError) as error:
        raise UserError(
            f"{path}: damaged (lacks or mistakes {error}), expected the header of an artefact; delete the artefact "
            "beside it and run the workflow again"
        ) from error
    return header


def header_path(file: str | Path) -> Path:
    """Return where the header of a file lies: ``<stem>.recipe.json`` if it is there, else ``recipe.json``."""
    file = Path(file)
    own = file.with_name(f"{file.name.split('.')[0]}.{NAME}")
    return own if own.exists() else file.with_name(NAME)


def header_of(file: str | Path) -> Header | None:
    """Return the header that lists a file; None for data that no job of ours wrote."""
    found = header_path(file)
    if not found.exists() or found == Path(file):
        return None
    header = read_header(found)
    return header if Path(file).name in header.contents else None


def verify(files: Iterable[str | Path], accepted: Mapping[str, str] | None = None) -> dict[str, Content]:
    """Return the content of files after reading every byte and holding it against their headers.

    Args:
        files: inputs of a job; folders are passed over. Those that no header lists are data from outside.
        accepted: recipe digests that the inputs may have, each with "noun/name" of its entry; None accepts all.

    Raises:
        UserError: a file was made by another recipe, or differs from what its job wrote.
    """
    paths = [Path(file) for file in files if Path(file).is_file()]
    headers = {path: header for path in paths if (header := header_of(path))}
    for path, header in headers.items():
        if accepted is not None and header.digest not in accepted:
            asked = f"{header.recipe['noun']}/{header.recipe['name']}"
            wanted = [digest for digest, name in accepted.items() if name == asked]
            raise UserError(
                f"{path}: made by recipe {header.digest} of {asked}, expected {' or '.join(wanted) or 'another entry'}"
                "; delete it and run the workflow again"
            )
    with ThreadPoolExecutor(NUM_READERS) as pool:
        found = dict(zip(paths, pool.map(content_of, paths)))
    for path, header in headers.items():
        expected, content = header.contents[path.name], found[path]
        if content.size != expected.size:
            raise UserError(
                f"{path}: {content.size} bytes, expected the {expected.size} that were written (half copied?); restore "
                "it, or delete it and run the workflow again"
            )
        if content != expected:
            raise UserError(
                f"{path}: its content changed after it was written (SHA-256 {content.sha256[:10]}, expected "
                f"{expected.sha256[:10]}); restore it, or delete it and run the workflow again"
            )
    return {str(path): content for path, content in found.items()}
