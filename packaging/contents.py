"""What goes into the bundle and what stays out. Offline; pure, so that tests can ask it.

Found by trying: everything named here was left out, and the bundle's self-test still passed. What
the engine never calls is most of what torch carries beside its library (compiler, exporters, test
helpers, headers), and all of scipy but its transforms, filters and sparse matrices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

NEVER: Final = ("tests", "models.training", "models.corpus", "models.evaluation")
"""Our own packages that make or measure the engine; none of them plays."""

EXCLUDED: Final = (
    *NEVER,
    # development, training, evaluation
    *("pytest", "_pytest", "hypothesis", "mypy", "ruff", "numba", "llvmlite", "librosa"),
    *("essentia", "madmom", "matplotlib", "sklearn", "onnxruntime", "pandas", "IPython", "PIL"),
    *("pip", "setuptools", "_distutils_hack", "pkg_resources", "wheel", "ensurepip", "PyInstaller"),
    # Python's own that no part of Segue asks for
    *("tkinter", "_tkinter", "idlelib", "lib2to3", "turtle", "turtledemo", "test", "pydoc_data"),
    *("sqlite3", "curses", "readline", "xmlrpc", "dbm"),
    # what torch imports for compiling, exporting and testing models only
    *("torch._inductor", "torch._dynamo", "torch.onnx", "torch.utils.tensorboard"),
    *("torch.testing._internal.distributed", "torch.utils.benchmark", "torch.utils.bottleneck"),
    *("torch.utils.cpp_extension", "torch.utils.hipify", "torch.utils.model_dump"),
    *("torch.utils.viz", "torch.distributed.elastic", "torch.distributed.pipelining"),
    *("torch.distributed.checkpoint", "torch.distributed.fsdp", "torch.distributed._shard"),
    *("torch.distributed.tensor.examples", "torch._vendor.quack", "functorch"),
    *("sympy", "mpmath", "networkx", "jinja2", "markupsafe", "isympy", "triton"),
    # parts of scipy and numpy
    *("scipy.stats", "scipy.optimize", "scipy.integrate", "scipy.interpolate", "scipy.io"),
    *("scipy.spatial", "scipy.cluster", "scipy.odr", "scipy.fftpack"),
    *("scipy.signal", "scipy.differentiate", "scipy.datasets", "scipy.misc"),
    *("scipy.linalg", "scipy.sparse.linalg"),
    *("numpy.distutils", "numpy.typing.mypy_plugin", "distutils"),
    # fetching goes by plain HTTP; this is another way, 11 MB
    *("hf_xet", "huggingface_hub.cli", "huggingface_hub.inference", "rich", "typer"),
    # pyqtgraph draws by itself; of Qt, Core, Gui, Widgets, Svg, Network and DBus are used
    *("pyqtgraph.opengl", "pyqtgraph.examples", "pyqtgraph.jupyter", "pyqtgraph.console"),
    *("OpenGL", "PySide6.QtOpenGL", "PySide6.QtOpenGLWidgets"),
    *("PySide6.QtQml", "PySide6.QtQuick", "PySide6.QtQuickWidgets", "PySide6.QtSql"),
    *("PySide6.QtPrintSupport", "PySide6.QtHelp", "PySide6.QtDesigner", "PySide6.QtUiTools"),
    *("PyQt5", "PyQt6", "PySide2", "shiboken2"),
)
"""Modules for PyInstaller to pretend that they are not there."""

DROPPED: Final = (
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
    # Qt: see KEPT_PLUGINS; what follows hangs on plugins that are not kept
    *("*/translations/*", "*Qt6Qml*", "*Qt6Quick*", "*Qt6Pdf*", "*Qt6VirtualKeyboard*"),
    *("*QtQml*", "*QtQuick*", "*QtPdf*", "*QtVirtualKeyboard*", "*Qt6Egl*"),
    *("*opengl32sw.dll", "*libgtk-3*", "*libgdk-3*", "*libatk*", "*libcairo*", "*libpango*"),
    *("*libgdk_pixbuf*", "*libepoxy*", "*libthai*", "*libdatrie*", "*libfribidi*"),
    *("libgio-2*", "libgobject-2*", "libgmodule-2*", "libatspi*", "libblkid*", "libmount*"),
    *("libselinux*", "libpixman*", "libjpeg.so*", "libharfbuzz*", "libgraphite2*"),
    *("libXcomposite*", "libXcursor*", "libXdamage*", "libXfixes*", "libXi.so*", "libXrandr*"),
    *("libXinerama*", "libXrender*", "libXext*", "libXau*", "libXdmcp*", "libbsd*", "libmd.so*"),
    # a part of glibc, which reads the inside of the loader: only the system's own fits
    "libmvec.so*",
    # sound libraries of the build machine: they go to `portaudio`, as a second choice
    *("libportaudio.so*", "libjack.so*", "libasound.so*", "libdb-5*"),
    *("pyqtgraph/examples/*", "pyqtgraph/icons/*.svg.orig"),
    *("*/tests/*", "*.pyi", "*/py.typed"),
)
"""Files of a bundle, as patterns of their place in it, that are left out."""

KEPT_PLUGINS: Final = (
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
"""Qt's plugins that are used, below the folder `plugins`."""

DROPPED_PLUGINS: Final = ("*virtualkeyboard*", "*eglfs*", "*linuxfb*", "*vnc*", "*vkkhr*")

RESOURCES: Final = (
    "controllers",
    "icons",
    "licences",
    "osc",
    "performances",
    "theme",
    "weights",
    "suggestions.json",
    "terms.toml",
)
"""What of resources/ goes along; the pictures of the README do not."""

NAMED: Final = (
    *("soundfile", "sounddevice", "soxr", "rtmidi", "mido.backends.rtmidi"),
    *("huggingface_hub.file_download", "huggingface_hub.hf_api", "huggingface_hub.utils"),
    *("huggingface_hub.errors", "huggingface_hub.constants", "truststore"),
)
"""Modules that are imported in ways that PyInstaller does not see."""


def kept(place: str) -> bool:
    """Whether a file goes into the bundle, by its place in it ('/' between folders)."""
    place = place.replace("\\", "/")
    if place.startswith("portaudio/"):
        return True
    plugin = re.search(r"/plugins/(.+)$", place)
    if plugin and place.startswith("PySide6"):
        name = plugin.group(1)
        if any(fnmatch(name, pattern) for pattern in DROPPED_PLUGINS):
            return False
        if not any(fnmatch(name, pattern) for pattern in KEPT_PLUGINS):
            return False
    return not any(fnmatch(place, pattern) for pattern in DROPPED)


def alsa_files(sound: str, folder: Path = Path("/usr/share/alsa")) -> list[tuple[str, str]]:
    """ALSA's own settings, (place in the bundle, file), where its library goes along.

    sound: the sound libraries with ':' between them. Without these files PortAudio stops the
    process that opens it; the system's are used where there are any.
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
    """Every module of app and models that plays; some are imported by name only."""
    names = []
    for top in ("app", "models"):
        for path in sorted((root / top).rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            names.append(".".join(parts))
    return [name for name in names if not within(name, NEVER)]


def within(module: str, packages: Iterable[str]) -> bool:
    """Whether a module is one of some packages or lies in one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)
