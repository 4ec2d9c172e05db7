"""The house rules of DESIGN that a machine can read: who imports whom, sizes, docstrings, traps."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = [
    ROOT / "main.py",
    *sorted((ROOT / "app").rglob("*.py")),
    *sorted((ROOT / "models").rglob("*.py")),
]
LINES = 450  # "about 400"
TABLES = ("models/corpus/styles/",)  # what each style plays: long because there are 120 of them

TOP_LEVEL = {
    "main.py",
    "app",
    "models",
    "resources",
    "packaging",
    "tests",
    "pyproject.toml",
    "Makefile",
    "README.md",
    "LICENSE",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "constraints.txt",
}
# What must start fast, or run where there is neither a window nor torch.
NO_TORCH_NO_QT = (
    "main.py",
    "app/__init__.py",
    "app/cli/*.py",
    "models/__init__.py",
    "models/engine/controls.py",
    "models/engine/interface.py",
    "models/errors.py",
    "app/performance/file.py",
    "models/engine/prompts.py",
    "models/music/score.py",
    "models/storage/weights.py",
)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path, *, top_only: bool) -> set[str]:
    """Modules that a file imports, those inside functions left out if `top_only`.

    Imports for the type checker only are left out: they never run.
    """
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.level == 0 and child.module:
                found.add(child.module)
            checking = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            if not checking and not (inner and top_only):
                walk(child)

    walk(ast.parse(path.read_text(encoding="utf-8")))
    return found


def roots(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    table = named(path).startswith(TABLES)
    assert table or len(text.splitlines()) <= LINES, f"{named(path)}: split it"
    assert not text or ast.get_docstring(ast.parse(text)), (
        f"{named(path)} has no docstring: say what it is and in which lane it runs"
    )


@pytest.mark.parametrize("path", sorted((ROOT / "models").rglob("*.py")), ids=named)
def test_models_know_neither_the_instrument_nor_qt(path: Path) -> None:
    assert not roots(imports(path, top_only=False)) & {"app", "PySide6", "pyqtgraph", "tests"}


@pytest.mark.parametrize("pattern", NO_TORCH_NO_QT)
def test_modules_that_must_start_fast_stay_light(pattern: str) -> None:
    paths = list(ROOT.glob(pattern))
    assert paths
    for path in paths:
        heavy = roots(imports(path, top_only=True)) & {"torch", "PySide6", "pyqtgraph", "scipy"}
        assert not heavy, f"{named(path)} imports {heavy} before it is needed"


def test_starting_the_command_line_imports_nothing_heavy() -> None:
    code = (
        "import sys, app.cli.program, app.cli.render, app.cli.bench, app.cli.models, "
        "app.cli.instrument, app.cli.devices\n"
        "heavy = {'torch', 'PySide6', 'scipy', 'soundfile', 'sounddevice', 'tqdm'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_audio_lane_imports_neither_qt_nor_torch() -> None:
    """The whole of app.audio, and what it imports of ours, in a process of its own."""
    folder = ROOT / "app" / "audio"
    modules = sorted(
        f"app.audio.{path.stem}"
        for path in folder.glob("*.py")
        if path.stem not in ("__init__", "cli", "soak")
    )
    assert modules
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "heavy = {'torch', 'PySide6'} & set(sys.modules)\nsys.exit(', '.join(heavy) or 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_packaging_is_no_package() -> None:
    """It would shadow the package of that name, which torch imports."""
    assert not list((ROOT / "packaging").rglob("__init__.py"))


def tracked() -> list[str]:
    run = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0 or not run.stdout:
        pytest.skip("this copy of Segue has no git history")
    return run.stdout.splitlines()


def test_nothing_lies_about_at_the_top() -> None:
    names = {path.partition("/")[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


def test_no_weights_can_run_code() -> None:
    """safetensors only: pickled weights would run what they like when they are opened."""
    assert not [p for p in tracked() if p.endswith((".pt", ".pth", ".pkl", ".ckpt", ".npz"))]
    for path in MODULES:
        calls = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        ]
        for call in calls:
            text = ast.unparse(call)
            risky = (
                text.startswith(("pickle.load", "joblib.load"))
                or (text.startswith("np.load") and "allow_pickle=True" in text)
                or (text.startswith("torch.load") and "weights_only=True" not in text)
            )
            assert not risky, f"{named(path)}, line {call.lineno}: {text}"


def test_the_pins_that_were_measured_stand() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wants = set(project["dependencies"])
    assert "torch==2.13.0" in wants
    assert "PySide6-Essentials>=6.11,<6.12" in wants
    assert project["requires-python"] == ">=3.11,<3.14"
    assert {"dev", "train", "evaluation"} <= set(project["optional-dependencies"])


DISTRIBUTION = {
    "PySide6": "PySide6-Essentials",
    "rtmidi": "python-rtmidi",
    "pythonosc": "python-osc",
    "ai_edge_litert": "ai-edge-litert",
}
EXTRAS = {
    "models/magenta_rt2/musiccoca": ("magenta",)
}  # says so in a sentence where they are missing
ELSEWHERE = {
    "models/evaluation/tagger.py": {"tensorflow", "musicnn"}
}  # in the tagger's own environment
WORKSHOP = ("models/training", "models/corpus", "models/evaluation")


def wanted(project: dict[str, Any], *extras: str) -> set[str]:
    """Names of the distributions that a user has after installing Segue with these extras."""
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in lines}


def test_every_package_that_is_imported_is_asked_for() -> None:
    """What plays needs the dependencies only; the workshop may also use the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = {"app", "models", "tests", "main"}
    for path in MODULES:
        workshop = named(path).startswith(WORKSHOP)
        extras = ("train", "evaluation") if workshop else EXTRAS.get(named(path.parent), ())
        have = wanted(project, *extras)
        foreign = roots(imports(path, top_only=False)) - ours - set(sys.stdlib_module_names)
        missing = {name for name in foreign if DISTRIBUTION.get(name, name).lower() not in have}
        missing -= ELSEWHERE.get(named(path), set())
        assert not missing, f"{named(path)} imports {missing}, which pyproject.toml does not name"


def test_what_the_readme_points_at_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert links
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_the_performance_in_the_readme_can_be_played() -> None:
    from app.performance.file import parse_lines

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith('{"t"')]
    assert len(parse_lines(lines)) == 4
