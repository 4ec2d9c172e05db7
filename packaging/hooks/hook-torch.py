"""For PyInstaller: of torch, its libraries and what its modules import; no sources, no headers.

It stands in for the usual hook, which takes along everything there is.
"""

from pathlib import Path

from PyInstaller.compat import is_linux
from PyInstaller.utils.hooks import PY_DYLIB_PATTERNS, collect_dynamic_libs, get_package_paths

binaries = collect_dynamic_libs("torch", search_patterns=[*PY_DYLIB_PATTERNS, "*.so.*"])
# torch.multiprocessing looks whether it is there, and nothing more.
manager = Path(get_package_paths("torch")[1]) / "bin" / "torch_shm_manager"
if manager.is_file():
    binaries.append((str(manager), "torch/bin"))
datas: list[tuple[str, str]] = []
hiddenimports = ["torch._C", "torch._VF", "unittest.mock"]

# torch reads the sources of its settings, and of overloaded functions, when it is imported.
module_collection_mode = {
    "torch.compiler.config": "pyz+py",
    "torch._export.config": "pyz+py",
    "torch.distributed.config": "pyz+py",
    "torch.utils.serialization.config": "pyz+py",
    "torch.functional": "pyz+py",
    "torch.nn.functional": "pyz+py",
    "torch.nn.modules.rnn": "pyz+py",
    "torch._functorch.config": "pyz+py",
    "torch.fx.experimental._config": "pyz+py",
    "torch._higher_order_ops.config": "pyz+py",
}

if is_linux:
    # torch finds its own libraries beside itself; links to them at the top would confuse it.
    bindepend_symlink_suppression = ["**/torch/lib/*.so*"]
    try:  # the CUDA build keeps CUDA's libraries in packages of their own
        from importlib.metadata import requires

        from _pyinstaller_hooks_contrib.utils import nvidia_cuda

        from packaging.requirements import Requirement

        wanted = [Requirement(line) for line in requires("torch") or []]
        names = [want.name for want in wanted if want.marker is None or want.marker.evaluate()]
        hiddenimports += nvidia_cuda.infer_hiddenimports_from_requirements(names)
    except ImportError:
        pass
