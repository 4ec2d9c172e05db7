#!/usr/bin/env bash
# Sets up Segue in .venv from a bare Debian, Ubuntu or macOS. `make run` and `make test` call it;
# it is skipped while its stamp file is newer than pyproject.toml and constraints.txt.
#   packaging/setup.sh run|test
# Settings (environment): PYTHON, the interpreter; TORCH=cuda for the CUDA build of torch on Linux;
# TORCH_INDEX, the address of a package index that offers the CPU build.
set -eu
cd "$(dirname "$0")/.."
what="${1:-run}"
venv=.venv
say() { printf 'segue: %s\n' "$*"; }
stop() { printf 'segue: %s\n' "$*" >&2; exit 2; }
# Runs a command and says what for, with the seconds where a person watches. What it prints is shown
# only where it fails.
step() {
    local what="$1" log pid code=0 began=$SECONDS
    shift
    log="$(mktemp)"
    "$@" >"$log" 2>&1 &
    pid=$!
    if [ -t 1 ]; then
        while kill -0 "$pid" 2>/dev/null; do
            printf '\rsegue: %s ... %d s' "$what" $((SECONDS - began))
            sleep 1
        done
        printf '\n'
    else
        say "$what"
    fi
    wait "$pid" || code=$?
    [ "$code" = 0 ] || cat "$log" >&2
    rm -f "$log"
    return "$code"
}

# --- an interpreter between 3.11 and 3.13 ---------------------------------------------------------
suits() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" || stop "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13: name one that is."
        echo "$PYTHON"
        return
    fi
    for name in python3.12 python3.13 python3.11 python3; do
        if suits "$name"; then
            echo "$name"
            return
        fi
    done
}

# --- system packages ------------------------------------------------------------------------------
# Sound (PortAudio, JACK), and what Qt loads for a window (xcb, EGL) and without one (offscreen).
libraries="libportaudio2 libasound2-plugins libegl1 libgl1 libopengl0 libxkbcommon0 libxkbcommon-x11-0
    libdbus-1-3 libfontconfig1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
    libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 fonts-dejavu-core"
# A sound card that is none (JACK), a display that is none (Xvfb), and the sound banks (230 MB) that
# the material for training is made with. Homebrew has the player but neither bank: on a Mac the
# tests that need them are skipped, and say so.
for_tests="jackd2 xvfb"
banks="libfluidsynth3 fluid-soundfont-gm musescore-general-soundfont"
# A window manager and a hand, for the test of stage mode, and Pd, for that of its patch.
desktop="openbox wmctrl xdotool x11-utils puredata-core"
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

debian_packages() {
    local wanted="$libraries" missing="" name
    if [ "$what" = test ]; then wanted="$wanted $for_tests $banks $desktop"; fi
    if [ -z "$(find_python)" ]; then wanted="$wanted python3 python3-venv"; fi
    if ! "$(find_python || true)" -c 'import ensurepip' 2>/dev/null; then
        wanted="$wanted python3-venv"
    fi
    for name in $wanted; do installed "$name" || missing="$missing $name"; done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        say "these system packages are missing and this user may not install them. Run once:"
        say "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing"
        if [ -n "$(find_python)" ] && "$(find_python)" -c 'import ensurepip' 2>/dev/null; then
            say "going on without them; sound or the window may fail until they are there."
            return 0
        fi
        exit 2
    fi
    say "system packages are missing:$missing"
    step "refreshing the package lists" $as_root apt-get update -qq || say "the package lists could not be refreshed; trying with the old ones."
    local known=""
    for name in $missing; do # a name may be another in another release
        if apt-cache show "$name" >/dev/null 2>&1; then known="$known $name"; else
            say "there is no package $name in this release; going on without it."
        fi
    done
    local needed="" large="" manager=""
    for name in $known; do
        case " $banks " in *" $name "*) large="$large $name"; continue ;; esac
        case " $desktop " in *" $name "*) manager="$manager $name" ;; *) needed="$needed $name" ;; esac
    done
    install_packages "installing libraries" $needed || stop "apt-get could not install:$needed. Run the same by hand to see why."
    install_packages "installing sound banks (230 MB)" $large || say "apt-get could not install:$large. The tests of the sound banks will be skipped."
    install_packages "installing a window manager and Pd" $manager || say "apt-get could not install:$manager. The tests of stage mode under a window manager and of the patch for Pd will be skipped."
}

install_packages() {
    local what="$1"
    shift
    [ $# -gt 0 ] || return 0
    # jackd2 asks a question about real-time priority unless told not to.
    step "$what" $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"
}

mac_packages() {
    if command -v brew >/dev/null 2>&1; then
        brew list portaudio >/dev/null 2>&1 || brew install portaudio
        if [ -z "$(find_python)" ]; then brew install python@3.12; fi
    else
        say "Homebrew is not here; if no sound device is found, install it and run: brew install portaudio"
    fi
}

case "$(uname -s)" in
Darwin) mac_packages ;;
Linux)
    if command -v apt-get >/dev/null 2>&1; then
        debian_packages
    else
        say "this is not Debian or Ubuntu: install PortAudio, EGL and the xcb libraries by your own means."
    fi
    ;;
esac

python="$(find_python)"
[ -n "$python" ] || stop "no Python 3.11, 3.12 or 3.13 found: install one (Debian, Ubuntu: sudo apt-get
install python3.11 python3.11-venv; macOS: brew install python@3.12), or name it: make run PYTHON=..."

# --- the environment ------------------------------------------------------------------------------
if ! suits "$venv/bin/python"; then
    rm -rf "$venv"
    step "making $venv with $("$python" --version)" "$python" -m venv "$venv" || stop "could not make $venv: run sudo apt-get install -y python3-venv"
fi
py="$venv/bin/python"
pip() { "$py" -m pip --disable-pip-version-check "$@"; }

# torch first, so that the CPU build is there before anything asks for just any torch.
torch="$("$py" - <<'EOF'
import tomllib
with open("pyproject.toml", "rb") as file:
    wants = tomllib.load(file)["project"]["dependencies"]
print(next(want for want in wants if want.startswith("torch==")))
EOF
)"
if ! "$py" -c "import importlib.metadata as m, sys
sys.exit(m.version('torch').split('+')[0] != '${torch#torch==}')" 2>/dev/null; then
    index=()
    if [ -n "${TORCH_INDEX:-}" ]; then index=(--extra-index-url "$TORCH_INDEX"); fi
    if [ "$(uname -s)" = Linux ] && [ "${TORCH:-cpu}" = cpu ]; then
        # The plain name brings two gigabytes of CUDA along, so ask for the CPU build by its name.
        # Where there is none, that is no fault: what pip says of it is not shown.
        cpu_torch() { pip install -q ${index[@]+"${index[@]}"} "$torch+cpu" || { : >"$log"; return 1; }; }
        if ! step "installing $torch (CPU)" cpu_torch; then
            say "pip offers no CPU build of torch here, so the usual one is installed, which is large."
            say "(TORCH_INDEX=<address> names an index with CPU builds; see pytorch.org, 'Start locally')"
            step "installing $torch" pip install -q "$torch"
        fi
    else
        step "installing $torch" pip install -q ${index[@]+"${index[@]}"} "$torch"
    fi
fi

extras=""
if [ "$what" = test ]; then extras="dev train magenta"; fi
requirements="$venv/requirements-$what.txt"
"$py" - $extras >"$requirements" <<'EOF'
import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
wants = list(project["dependencies"])
for extra in sys.argv[1:]:
    wants += project["optional-dependencies"][extra]
print("\n".join(wants))
EOF
step "installing the Python packages" pip install -q -c constraints.txt -r "$requirements"
touch "$venv/.ready-run" "$venv/.ready-$what" # what tests need includes what running needs
say "ready"
