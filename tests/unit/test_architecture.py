"""The house: import direction, light config, one script per rule, the furniture of every rule."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "workflow/scripts"
PACKAGE = SCRIPTS / "musicssl"
ORDER = (
    ("runtime", "geometry", "exclusive"),
    ("config", "artefacts", "signal"),
    ("datasets", "models", "corpus", "costs"),
    ("tasks", "targets", "training", "miniature"),
    ("probing",),
    ("reporting",),
    ("provenance",),
    ("commands",),
    ("__main__",),
)
LEVEL = {name: level for level, rooms in enumerate(ORDER) for name in rooms}
SMK = sorted((ROOT / "rules").glob("*.smk"))
COLLECTIONS = {"all", "all_labels", "all_models", "all_probes", "all_branches"}
BY_HAND = {"write_config": "write_recipe", "embed_pooled": "embed", "embed_frames": "embed"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Return the rooms of the package that a file imports."""
    here = ("musicssl", *path.relative_to(PACKAGE).parts[:-1])
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(here[: len(here) - node.level + 1]) if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names = [stem] + [f"{stem}.{alias.name}" for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("musicssl.")}
    return rooms & set(LEVEL)


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.stem != "__init__"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    own = room(path)
    for other in imported_rooms(path) - {own}:
        assert LEVEL[other] < LEVEL[own], f"{own} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_library_knows_nothing_of_snakemake(path: Path) -> None:
    assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.M)


def test_only_recipes_of_config_reach_the_library() -> None:
    for path in FILES:
        if room(path) not in ("config", "costs", "commands"):  # these work on the whole configuration
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module and "config" in node.module.split("."):
                    imported = {node.module.split(".")[-1], *(alias.name for alias in node.names)}
                    assert "recipes" in imported, path


def rules() -> dict[str, str]:
    """Return the text of every rule by name."""
    found = {}
    for path in [*SMK, ROOT / "Snakefile"]:
        for match in re.finditer(r"^rule (\w+):\n((?:(?:    .*)?\n)+)", path.read_text(), re.M):
            found[match[1]] = match[2]
    return found


@pytest.mark.parametrize("name", sorted(rules()))
def test_every_rule_is_furnished(name: str) -> None:
    text = rules()[name]
    assert text.lstrip().startswith('"'), "a rule opens with one sentence"
    if name in COLLECTIONS:
        return
    for part in ("output:", "log:", "conda:"):
        assert part in text, f"{name} has no {part}"
    env = re.search(r'"\.\./(envs/\w+\.yaml)"', text)
    assert env
    assert (ROOT / env[1]).exists()
    scripts = re.findall(r"workflow/scripts/(\w+)\.py", text)
    if scripts:
        assert scripts == [BY_HAND.get(name, name)]
        assert (SCRIPTS / f"{scripts[0]}.py").exists()


def test_every_script_has_its_rule() -> None:
    used = {script for text in rules().values() for script in re.findall(r"workflow/scripts/(\w+)\.py", text)}
    assert {path.stem for path in SCRIPTS.glob("*.py")} == used


def test_the_snakefile_holds_no_logic() -> None:
    lines = (ROOT / "Snakefile").read_text().splitlines()
    assert len(lines) <= 60
    assert not [line for line in lines if re.match(r"\s*(def|if|for|import) ", line)]


def test_scripts_are_thin() -> None:
    for path in SCRIPTS.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 80, path.name


@pytest.mark.parametrize("path", [p for p in ROOT.rglob("*.rst") if ".venv" not in p.parts], ids=lambda p: p.stem)
def test_every_caption_is_used(path: Path) -> None:
    assert any(path.name in text for text in rules().values())
