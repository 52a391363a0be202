"""What all tests share: the folder of the repository and a configuration to start from."""

from pathlib import Path

import pytest

from musicssl.config.load import load

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def root() -> Path:
    """Return the repository's folder."""
    return ROOT


@pytest.fixture
def paper() -> dict:
    """Return the merged tables at the paper's scale."""
    return load()[0]


@pytest.fixture
def miniature() -> dict:
    """Return the merged tables of the miniature."""
    return load([str(ROOT / "config/miniature.yaml")])[0]
