"""For PyInstaller: PortAudio comes with sounddevice on Windows and macOS; on Linux see first.py."""

from PyInstaller.compat import is_linux
from PyInstaller.utils.hooks import collect_dynamic_libs

binaries = [] if is_linux else collect_dynamic_libs("_sounddevice_data")
hiddenimports = ["_cffi_backend"] if is_linux else ["_cffi_backend", "_sounddevice_data"]
