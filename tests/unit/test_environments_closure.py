"""Each script's environment holds what the script imports, on the way or later, and nothing else."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "workflow/scripts"
DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml", "faiss": "faiss-gpu", "dask_jobqueue": "dask-jobqueue"}
ELSEWHERE = {  # imports that the jobs of an environment never reach, and why
    "audio": {"torch"},  # runtime's seeds and devices, for jobs that compute
    "report": {"torch"},
    "controller": {"torch", "numpy"},  # numpy: samples, in functions of the geometry
    "probe": {"transformers", "safetensors"},
    "train": {"distributed", "dask-jobqueue"},  # labels are assigned on threads
    "cluster": {"torch", "torchaudio", "transformers", "librosa", "safetensors", "soundfile", "soxr"},
}
BROUGHT = {"snakemake", "snakemake-executor-plugin-slurm", "pygments", "dask", "torch"}
"""Needed without being imported by name: programs, plugins, and what others need beside them."""


def module_file(name: str) -> Path | None:
    path = SCRIPTS / name.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def imported(path: Path) -> set[str]:
    """Return the absolute names of all modules that a file imports, lazily or not."""
    package = list(path.relative_to(SCRIPTS).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            stem = ".".join(
                [*(package[: len(package) - node.level + 1] if node.level else []), *filter(None, [node.module])]
            )
            found |= {stem} | {f"{stem}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module" and len(node.args) == 1:
            found |= {node.args[0].value} if isinstance(node.args[0], ast.Constant) else set()
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and path.name == "__init__.py":
            lazy = ".".join([*package, node.value])  # the table of names that load on first use
            found |= {lazy} if node.value.isidentifier() and module_file(lazy) else set()
    return found


def closure(*starts: str) -> set[str]:
    """Return the distributions outside the standard library that some modules of ours import."""
    waiting, seen, outside = list(starts), set(), set()
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        names = [".".join(parts[: k + 1]) for k in range(len(parts))]
        if module_file(names[0]) is None and names[0] != "musicssl":
            outside.add(parts[0])
            continue
        for one in names:
            file = module_file(one)
            if file and one not in seen:
                seen.add(one)
                waiting += imported(file)
    third = outside - set(sys.stdlib_module_names) - {"snakemake", "__future__", "musicssl"}
    return {DISTRIBUTIONS.get(name, name.replace("_", "-").lower()) for name in third}


def jobs() -> dict[str, list[str]]:
    """Return the scripts that run in each environment."""
    found: dict[str, list[str]] = {}
    for path in (ROOT / "rules").glob("*.smk"):
        for text in re.split(r"^rule ", path.read_text(), flags=re.M)[1:]:
            env = re.search(r"envs/(\w+)\.yaml", text)
            script = re.search(r"workflow/scripts/(\w+)\.py", text)
            if env and script:
                found.setdefault(env[1], []).append(script[1])
    smk = ast.parse("\n".join(re.findall(r"^from musicssl.*", (ROOT / "rules/common.smk").read_text(), re.M)))
    found["controller"] += [node.module for node in smk.body if isinstance(node, ast.ImportFrom)]
    return found


@pytest.mark.parametrize("env", sorted(path.stem for path in (ROOT / "envs").glob("*.yaml")))
def test_an_environment_is_what_its_scripts_import(env: str) -> None:
    lists = yaml.safe_load((ROOT / f"envs/{env}.yaml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in lists if isinstance(entry, dict))
    installed = {re.split(r"[=<>]", pin)[0].lower().replace("_", "-") for pin in pip}
    needed = {name.replace("_", "-") for name in closure(*jobs()[env])} - ELSEWHERE[env]
    assert needed - installed == set(), f"missing from envs/{env}.yaml"
    assert installed - needed - BROUGHT == set(), f"superfluous in envs/{env}.yaml"


MODULES = {"dask-jobqueue": "dask_jobqueue"}


@pytest.mark.parametrize("env", sorted(ELSEWHERE))
def test_what_an_environment_lacks_is_not_imported_on_the_way(env: str) -> None:
    """Everything that its scripts name is imported with the absent packages blocked."""
    blocked = [MODULES.get(name, name) for name in ELSEWHERE[env]]
    names = [name for script in jobs()[env] for name in imported(module_file(script))]
    ours = sorted({name for name in names if name.startswith("musicssl") and module_file(name)})
    code = (
        f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"import importlib\nfor name in {ours!r}: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]
