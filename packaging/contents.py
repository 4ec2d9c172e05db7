"""Lists of the modules and files that the bundle includes and excludes.

Determined by experiment: without everything excluded here the bundle's self-test still passes. The
engine never calls most of what torch has beside its library (compiler, exporters, test helpers,
headers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

EXCLUDED_PACKAGES: Final = ("tests", "models.training", "models.corpus", "models.evaluation")
"""Our own packages that train or evaluate the engine; the instrument needs none of them."""

EXCLUDED: Final = (
    *EXCLUDED_PACKAGES,
    # development, training, evaluation
    *("pytest", "_pytest", "hypothesis", "mypy", "ruff", "numba", "llvmlite", "librosa"),
    *("essentia", "madmom", "matplotlib", "sklearn", "onnxruntime", "pandas", "IPython", "PIL"),
    *("pip", "setuptools", "_distutils_hack", "pkg_resources", "wheel", "ensurepip", "PyInstaller"),
    # modules of Python's that no part of Segue imports
    *("tkinter", "_tkinter", "idlelib", "lib2to3", "turtle", "turtledemo", "test", "pydoc_data"),
    *("sqlite3", "curses", "readline", "xmlrpc", "dbm"),
    # imported by torch only to compile, export and test models
    *("torch._inductor", "torch._dynamo", "torch.onnx", "torch.utils.tensorboard"),
    *("torch.testing._internal.distributed", "torch.utils.benchmark", "torch.utils.bottleneck"),
    *("torch.utils.cpp_extension", "torch.utils.hipify", "torch.utils.model_dump"),
    *("torch.utils.viz", "torch.distributed.elastic", "torch.distributed.pipelining"),
    *("torch.distributed.checkpoint", "torch.distributed.fsdp", "torch.distributed._shard"),
    *("torch.distributed.tensor.examples", "torch._vendor.quack", "functorch"),
    *("sympy", "mpmath", "networkx", "jinja2", "markupsafe", "isympy", "triton"),
    # pyqtgraph asks for scipy where pictures are turned; with it comes a second OpenBLAS
    *("scipy", "numpy.distutils", "numpy.typing.mypy_plugin", "distutils"),
    # weights are downloaded by plain HTTP; this is another transfer
    *("hf_xet", "huggingface_hub.cli", "huggingface_hub.inference", "rich", "typer"),
    # pyqtgraph draws by itself; of Qt, Core, Gui, Widgets, Svg, Network and DBus are used
    *("pyqtgraph.opengl", "pyqtgraph.examples", "pyqtgraph.jupyter", "pyqtgraph.console"),
    *("OpenGL", "PySide6.QtOpenGL", "PySide6.QtOpenGLWidgets"),
    *("PySide6.QtQml", "PySide6.QtQuick", "PySide6.QtQuickWidgets", "PySide6.QtSql"),
    *("PySide6.QtPrintSupport", "PySide6.QtHelp", "PySide6.QtDesigner", "PySide6.QtUiTools"),
    *("PyQt5", "PyQt6", "PySide2", "shiboken2"),
)
"""Modules that PyInstaller excludes."""

EXCLUDED_FILES: Final = (
    # torch: the library is torch_cpu, torch_python and c10 with what they link
    *(
        "torch/bin/*test*",
        "torch/bin/proto*",
        "torch/test/*",
        "torch/include/*",
        "torch/share/*",
        "torch/*.pyi",
    ),
    *("torch/lib/*_test.*", "torch/lib/*torchbind*", "torch/lib/*backend_with_compiler*"),
    *("torch/lib/*aoti_custom_ops*", "torch/lib/*.lib", "torch/lib/*dnnl_debug*"),
    # Qt: see INCLUDED_PLUGINS; these belong to plugins that are not included
    *("*/translations/*", "*Qt6Qml*", "*Qt6Quick*", "*Qt6Pdf*", "*Qt6VirtualKeyboard*"),
    *("*QtQml*", "*QtQuick*", "*QtPdf*", "*QtVirtualKeyboard*", "*Qt6Egl*"),
    *("*opengl32sw.dll", "*libgtk-3*", "*libgdk-3*", "*libatk*", "*libcairo*", "*libpango*"),
    *("*libgdk_pixbuf*", "*libepoxy*", "*libthai*", "*libdatrie*", "*libfribidi*"),
    *("libgio-2*", "libgobject-2*", "libgmodule-2*", "libatspi*", "libblkid*", "libmount*"),
    *("libselinux*", "libpixman*", "libjpeg.so*", "libharfbuzz*", "libgraphite2*"),
    *("libXcomposite*", "libXcursor*", "libXdamage*", "libXfixes*", "libXi.so*", "libXrandr*"),
    *("libXinerama*", "libXrender*", "libXext*", "libXau*", "libXdmcp*", "libbsd*", "libmd.so*"),
    # a part of glibc tied to the loader's internals: only the system's own works
    "libmvec.so*",
    # sound libraries of the build machine: they go to `portaudio`, as a fallback
    *("libportaudio.so*", "libjack.so*", "libasound.so*", "libdb-5*"),
    *("pyqtgraph/examples/*", "pyqtgraph/icons/*.svg.orig"),
    *("*/tests/*", "*.pyi", "*/py.typed"),
)
"""Patterns of files that the bundle excludes, by their path in it."""

INCLUDED_PLUGINS: Final = (
    "platforms/*",
    "xcbglintegrations/*",
    "wayland-*",
    "platforminputcontexts/*",
    "iconengines/*svg*",
    "imageformats/*svg*",
    "imageformats/*jpeg*",
    "imageformats/*ico*",
    "platformthemes/*xdg*",
    "styles/*",
)
"""Patterns of Qt's plugins that are used, by their path in the folder `plugins`."""

EXCLUDED_PLUGINS: Final = ("*virtualkeyboard*", "*eglfs*", "*linuxfb*", "*vnc*", "*vkkhr*")

RESOURCES: Final = (
    "controllers",
    "icons",
    "instruments",
    "licences",
    "osc",
    "performances",
    "theme",
    "weights",
    "prompts.json",
    "suggestions.json",
    "terms.toml",
)
"""Entries of resources/ that the bundle includes; the README's pictures are not among them."""

HIDDEN_IMPORTS: Final = (
    *("soundfile", "sounddevice", "soxr", "rtmidi", "mido.backends.rtmidi"),
    *("huggingface_hub.file_download", "huggingface_hub.hf_api", "huggingface_hub.utils"),
    *("huggingface_hub.errors", "huggingface_hub.constants", "truststore"),
)
"""Modules whose imports PyInstaller does not detect."""


def is_included(place: str) -> bool:
    """Whether the bundle includes a file, by its path in it."""
    place = place.replace("\\", "/")
    if place.startswith("portaudio/"):
        return True
    plugin = re.search(r"/plugins/(.+)$", place)
    if plugin and place.startswith("PySide6"):
        name = plugin.group(1)
        if any(fnmatch(name, pattern) for pattern in EXCLUDED_PLUGINS):
            return False
        if not any(fnmatch(name, pattern) for pattern in INCLUDED_PLUGINS):
            return False
    return not any(fnmatch(place, pattern) for pattern in EXCLUDED_FILES)


def alsa_files(sound: str, folder: Path = Path("/usr/share/alsa")) -> list[tuple[str, str]]:
    """ALSA's configuration, (path in the bundle, file), where its library is included.

    sound: the sound libraries, separated by ':'. Without these files PortAudio aborts the process
    that opens it; the system's are used where there are any.
    """
    if "libasound.so.2" not in sound:
        return []
    found = [folder / "alsa.conf"]
    for name in ("cards", "ctl", "pcm"):
        found += folder.glob(f"{name}/*.conf")
    if not found[0].is_file():
        raise SystemExit(f"segue: {found[0]} is not here: sudo apt-get install libasound2-data")
    return [(f"portaudio/alsa/{path.relative_to(folder)}", str(path)) for path in sorted(found)]


def own_modules(root: Path = ROOT) -> list[str]:
    """Every module of app and models in the bundle; some are imported by name only."""
    names = []
    for top in ("app", "models"):
        for path in sorted((root / top).rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            names.append(".".join(parts))
    return [name for name in names if not within(name, EXCLUDED_PACKAGES)]


def within(module: str, packages: Iterable[str]) -> bool:
    """Whether a module is one of the packages or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)
