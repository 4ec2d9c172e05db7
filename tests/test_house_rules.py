"""House rules (ARCHITECTURE.md): imports, floors, sizes, names, types, docstrings, traps."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = [
    ROOT / "main.py",
    *sorted((ROOT / "app").rglob("*.py")),
    *sorted((ROOT / "models").rglob("*.py")),
]
MAX_LINES = 420  # "about 400"
MAX_MODULES = 20  # the package itself among them
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
    "app/cli/files/*.py",
    "models/__init__.py",
    "models/engine/controls.py",
    "models/engine/control_values.py",
    "models/engine/interface.py",
    "models/engine/prompt_checks.py",
    "models/errors.py",
    "app/performance/file.py",
    "app/performance/player.py",
    "models/engine/prompts.py",
    "models/music/score.py",
    "models/storage/weights.py",
)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


@cache
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

    walk(tree_of(path))
    return found


def roots(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_a_module_is_short_and_says_what_it_is() -> None:
    lengths = {named(path): len(text_of(path).splitlines()) for path in MODULES}
    long = {name: n for name, n in lengths.items() if n > MAX_LINES}
    assert not {name: n for name, n in long.items() if not name.startswith(TABLES)}, "split them"
    silent = [named(p) for p in MODULES if text_of(p) and not ast.get_docstring(tree_of(p))]
    assert not silent, "no docstring: say what it is and in which thread it runs"


def test_models_know_neither_the_instrument_nor_qt() -> None:
    above = {"app", "PySide6", "pyqtgraph", "tests"}
    models = [path for path in MODULES if named(path).startswith("models/")]
    assert not {named(p): f for p in models if (f := roots(imports(p, top_only=False)) & above)}


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
        for call in ast.walk(tree_of(path)):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            if call.func.attr not in ("load", "loads"):
                continue
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
    "jack": "JACK-Client",
    "pythonosc": "python-osc",
    "ai_edge_litert": "ai-edge-litert",
}
EXTRAS = {
    "models/magenta_rt2/musiccoca": ("magenta",),
    "models/lyria": ("lyria",),
    "models/remote": ("zeroconf",),
    "models/remote/cluster": ("serve",),
    "app/control/transport": ("jack",),
}  # says so in a sentence where they are missing
ELSEWHERE = {
    "models/evaluation/tagger.py": {"tensorflow", "musicnn"},
    "app/control/transport/link_helper.py": {"link"},  # GPL: only where the user installed it
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


# --- the rules of the house, by their number in ARCHITECTURE.md ----------------------------------


def dotted(path: Path) -> str:
    return named(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")


NAMES = {dotted(path): path for path in MODULES}


def imported(name: str) -> set[str]:
    """Our modules that a module imports anywhere: in functions and for the type checker too."""
    found: set[str] = set()
    for node in ast.walk(tree_of(NAMES[name])):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in NAMES else node.module)
    return (found & set(NAMES)) - {name}


def test_1_there_is_no_import_cycle() -> None:
    try:
        TopologicalSorter({name: imported(name) for name in NAMES}).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


FLOORS = {
    "cli": 6,
    "window": 5,
    "playback": 4, "live_controller": 4, "scene_launcher": 4,
    "interfaces": 3.5,
    "session": 3, "control": 3, "inference": 3, "recording": 3,
    "audio": 2, "performance": 2, "parameters": 2,
    "files": 1,
}  # fmt: skip
"""Floors of app: each uses only what is below, or is on its floor in the wiring."""


def test_2_each_floor_uses_what_is_below() -> None:
    above = []
    for name in NAMES:
        if not name.startswith("app."):
            continue
        ours = name.split(".")[1]
        for target in (t.split(".")[1] for t in imported(name) if t.startswith("app.")):
            wiring = FLOORS[ours] == FLOORS[target] == 4
            if ours != target and not wiring and FLOORS[target] >= FLOORS[ours]:
                above.append(f"{name} -> app.{target}")
    assert not above


def test_2_the_folders_of_app_are_the_rooms_of_the_house() -> None:
    rooms = {name.split(".")[1] for name in NAMES if name.startswith("app.")}
    assert rooms == set(FLOORS)
    loose = {"app": 5, "models": 3}
    for folder, most in loose.items():
        modules = [p for p in (ROOT / folder).glob("*.py") if p.stem != "__init__"]
        assert len(modules) <= most, f"loose modules in {folder}: {sorted(map(named, modules))}"


QT = re.compile(
    r"app\.(window\b|control\.bridge|inference\.worker|playback|live_controller|scene_launcher|interfaces)"
)
NO_TORCH = re.compile(r"main|app\b|models\.(engine|music|registry|errors|command)\b")


def test_3_qt_and_torch_stay_in_their_rooms() -> None:
    outside = []
    for name, path in NAMES.items():
        foreign = roots(imports(path, top_only=name.startswith("app.cli")))
        if not QT.match(name):
            outside += [(name, qt) for qt in foreign & {"PySide6", "shiboken6", "pyqtgraph"}]
        if NO_TORCH.match(name) and "torch" in foreign:
            outside.append((name, "torch"))
    assert not outside


def test_4_folders_are_small() -> None:
    sizes = Counter(path.parent for path in MODULES)
    assert not {named(folder): n for folder, n in sizes.items() if n > MAX_MODULES}
    for folder in sizes:
        first = [p.stem.split("_")[0] for p in folder.glob("*_*.py") if p.stem[0] != "_"]
        many = {word for word, n in Counter(first).items() if n > 2}
        assert not many, f"{named(folder)}: three modules named {many} ask for a folder"


def test_5_a_helper_takes_what_it_uses() -> None:
    faults = []
    for name, path in NAMES.items():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.arg) and node.arg == "window" and node.annotation is not None:
                vague = ast.unparse(node.annotation) in ("Any", "object")
                faults += [f"{name}, line {node.lineno}: the window as Any"] * vague
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr":
                target = ast.unparse(node.args[0])
                faults += [f"{name}, line {node.lineno}: hasattr(self, ...)"] * (target == "self")
    assert not faults


SAME_NAME = {"StreamState"}  # of each engine: saved moments know them by this name


def test_6_class_names_are_unique() -> None:
    places = defaultdict(list)
    for name, path in NAMES.items():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and node.name not in SAME_NAME:
                places[node.name].append(name)
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_7_the_sample_rate_is_declared_once() -> None:
    places = [
        f"{name}:{node.lineno}"
        for name, path in NAMES.items()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and node.value in (48_000, 48_000.0)
    ]
    assert [place.partition(":")[0] for place in places] == ["models.music.score"], places


PUBLIC = (
    "app.interfaces",
    "models.registry",
    "models.engine.controls",
    "models.engine.interface",
    "models.engine.prompts",
)
"""The public API: what other engines, programs and rooms are written against."""


def test_8_the_public_api_is_documented() -> None:
    missing = []
    bodies = [(name, tree_of(NAMES[name]).body) for name in PUBLIC]
    bodies += [
        (name, node.body)
        for name, body in bodies
        for node in body
        if isinstance(node, ast.ClassDef)
    ]
    for module, node in ((name, node) for name, body in bodies for node in body):
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if module == "app.interfaces":  # protocols: documented where they are implemented
            continue
        text = ast.get_docstring(node) or ""
        takes = [
            a.arg for a in (*node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")
        ]
        if not text:
            missing.append(f"{module}.{node.name}: no docstring")
        elif len(takes) > 1 and "Args:" not in text:
            missing.append(f"{module}.{node.name}: no Args")
    assert not missing


WORDS = re.compile(r"\b(lanes?|desks?|lamps?)\b", re.IGNORECASE)


def test_8_the_words_are_the_fields() -> None:
    """Thread, audio process, coordinator, LED: no words that only insiders know."""
    found = {}
    for name, path in NAMES.items():
        text = text_of(path).replace('"Lanes"', "")  # DAWproject's element
        if words := {match[0].lower() for match in WORDS.finditer(text)}:
            found[name] = words
    assert not found


def test_any_stays_rare() -> None:
    uses = sum(len(re.findall(r"\bAny\b", text_of(path))) for path in MODULES)
    assert uses < 120, f"Any stands {uses} times in app and models"
