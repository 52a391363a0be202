"""The house: import direction, light config, one script per rule, the furniture of every rule."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "workflow/scripts"
PACKAGE = SCRIPTS / "musicssl"
ORDER = (
    ("runtime", "geometry", "machine"),
    ("config", "artefacts", "signal"),
    ("job",),
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
BY_HAND = {"embed_pooled": "embed", "embed_frames": "embed"}


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


def imported_modules(path: Path) -> set[str]:
    """Return the modules of the package that importing a file imports; functions import later, types never."""
    here = ("musicssl", *path.relative_to(PACKAGE).parts[:-1])
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*here[: len(here) - node.level + 1], *([node.module] if node.module else [])])
            names |= {base} if node.module else set()
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def test_no_module_imports_itself_by_way_of_others() -> None:
    modules = {".".join(["musicssl", *path.relative_to(PACKAGE).with_suffix("").parts]): path for path in FILES}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    edges = {name: (imported_modules(path) & modules.keys()) - {name} for name, path in modules.items()}
    while free := [name for name, targets in edges.items() if not targets]:
        edges = {name: targets - set(free) for name, targets in edges.items() if name not in free}
    assert not edges, f"circle among {sorted(edges)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_library_knows_nothing_of_snakemake(path: Path) -> None:
    assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.M)


def test_only_recipes_of_config_reach_the_library() -> None:
    for path in FILES:
        if room(path) not in ("config", "costs", "provenance", "commands"):  # these work on the whole configuration
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


FOREIGN = (
    *("artefacts/", "datasets/", "models/released.py", "models/fairseq.py", "miniature/folder.py"),
    *("signal/", "corpus/scan.py"),  # music
    *("config/load.py", "config/sources.py", "config/versions.py"),  # the user's tables and weights, our own source
    *("reporting/page.py", "reporting/paper.py"),  # the package's own templates and tables
    *("runtime.py", "machine.py"),  # what the system says of the process
)
"""Where files may be opened: ours in artefacts, what others wrote where it is read."""
OPENERS = {
    "open", "read_text", "write_text", "read_bytes", "write_bytes", "load", "save", "savez", "memmap", "reader",
    "writer", "DictReader", "DictWriter", "loads", "dump", "fromfile", "tofile", "read_csv", "to_csv",
}  # fmt: skip
MODULES = {"np", "numpy", "torch", "csv", "json", "pd", "yaml", "pickle", "path", "Path", "gzip", "io"}


def opened(path: Path) -> list[str]:
    """Return the calls of a file that open, parse or write files."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id == "open":
            found.append(f"{node.lineno}: open")
        if isinstance(called, ast.Attribute) and called.attr in OPENERS:
            owner = ast.unparse(called.value)
            if called.attr in ("open", "read_text", "write_text", "read_bytes", "write_bytes") or owner in MODULES:
                found.append(f"{node.lineno}: {owner}.{called.attr}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nobody_else_opens_a_file_of_ours(path: Path) -> None:
    where = path.relative_to(PACKAGE).as_posix()
    if not where.startswith(FOREIGN):
        assert opened(path) == [], where
