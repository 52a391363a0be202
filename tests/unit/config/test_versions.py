"""Versions stand beside the code that decides, once, and in the recipes of what it decides."""

import re
from pathlib import Path

import pytest

from musicssl.config import versions as module
from musicssl.config.catalogue import Catalogue
from musicssl.config.inherit import ConfigError
from musicssl.config.versions import DECIDED_BY, PACKAGE, version

CONFIG = PACKAGE.parents[2] / "config"


@pytest.mark.parametrize("file", sorted({file for files in DECIDED_BY.values() for file in files}))
def test_every_deciding_file_states_one_version(file: str) -> None:
    assert version(file) >= 1


def test_no_version_stands_in_the_configuration() -> None:
    for path in CONFIG.rglob("*.yaml"):
        assert not re.search(r"version\s*:", path.read_text()), path


def test_every_version_beside_code_decides_something() -> None:
    stated = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^VERSION = ", path.read_text(), re.MULTILINE) and path.parent.name != "artefacts"
    }
    adapters = {path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "datasets").glob("*.py")}
    assert stated - adapters == {file for files in DECIDED_BY.values() for file in files} - adapters


@pytest.mark.parametrize(
    ("file", "noun", "names"),
    [
        ("signal/mfcc.py", "labels", ("mfcc39-k500", "miniature")),
        ("corpus/crop.py", "models", ("music2vec-vanilla",)),
        ("training/trainer.py", "models", ("hubert-k500-mfcc39",)),
    ],
)
def test_a_raised_version_changes_all_that_follows(
    miniature: dict, monkeypatch: pytest.MonkeyPatch, file: str, noun: str, names: tuple[str, ...]
) -> None:
    before = Catalogue(miniature).recipe(noun, *names)
    untrained = Catalogue(miniature).recipe("models", "random-hubert")
    monkeypatch.setattr(Path, "read_text", raised(Path.read_text, PACKAGE / file))
    version.cache_clear()
    try:
        assert Catalogue(miniature).recipe(noun, *names)["digest"] != before["digest"]
        assert Catalogue(miniature).recipe("models", "random-hubert") == untrained
    finally:
        version.cache_clear()


def raised(read, file):
    """Return ``read_text`` as if ``file`` stated a higher version."""

    def read_text(path, *arguments, **options):
        text = read(path, *arguments, **options)
        return re.sub(r"^VERSION = \d+", "VERSION = 99", text, flags=re.MULTILINE) if path == file else text

    return read_text


def test_a_version_is_a_line_of_its_own(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    (tmp_path / "some.py").write_text('"""Text: VERSION = 3."""\nVERSION = 12  # since then\n"""Raised when."""\n')
    assert version("some.py") == 12
    (tmp_path / "none.py").write_text("VERSIONS = 3\n")
    for name in ("none.py", "absent.py"):
        with pytest.raises(ConfigError, match=rf"{name}: found no line `VERSION = 1`, expected one"):
            version(name)
