#!/usr/bin/env bash
# Installs a finished .deb into a bare Debian without Python, tries it from the menu's own entry, and
# removes it again: nothing of it may be left. As root; needs debootstrap and the network for Debian.
#   tests/support/bundle_chroot.sh SEGUE.deb [FOLDER]
#   FOLDER: where the bare Debian lies, used again if it is there; a new one, deleted afterwards, else.
set -eu
stop() { printf 'FAIL  %s\n' "$*" >&2; exit 1; }
deb="$(readlink -f "$1")"
release="$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")"
PATH="$PATH:/usr/sbin:/sbin"
root="${2:-$(mktemp -d)}"
mounted=""
leave() {
    for place in $mounted; do umount -l "$place"; done
    if [ -z "${KEEP:-}" ]; then rm -rf --one-file-system "$root"; fi
}
[ $# -lt 2 ] || KEEP=1
trap leave EXIT
if [ ! -x "$root/usr/bin/apt-get" ]; then
    debootstrap --variant=minbase "$release" "$root" >/dev/null
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/dev/shm"
mount -t proc proc "$root/proc" && mounted="$root/proc"
mount -t tmpfs tmpfs "$root/dev/shm" && mounted="$mounted $root/dev/shm"
mount -t tmpfs tmpfs "$root/tmp" && mounted="$mounted $root/tmp"

# Nothing but HOME is set; commands of the system are found by PATH, Segue's need none.
bare() { env -i HOME=/root "$(command -v chroot)" "$root" "$@"; }
system() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
    "$(command -v chroot)" "$root" "$@"; }
files() { (cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./tmp \
    -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \) -prune -o -print | sort); }

if bare /bin/sh -c 'ls /usr/bin/python3* 2>/dev/null'; then stop "there is a Python in $root"; fi
system apt-get update -qq
# --- unpacked by hand, with no more of a system than Qt asks for: no ALSA, no fonts --------------------
cp "$deb" "$root/tmp/segue.deb"
depends="$(dpkg-deb -f "$deb" Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/,/ /g')"
# shellcheck disable=SC2046 # a list of names
system apt-get install -y -qq --no-install-recommends \
    $(printf '%s\n' $depends | grep -v asound) >/dev/null 2>&1
dpkg-deb -x "$deb" "$root/tmp/Segue für alle"
echo "--- unpacked into 'Segue für alle', in a Debian without Python"
if [ -e "$root/usr/share/alsa" ]; then echo "      (ALSA is there already)"; fi
bare "/tmp/Segue für alle/opt/segue/segue" --selftest
rm -rf "$root/tmp/Segue für alle"

# --- installed beside what any desktop has ----------------------------------------------------------
system apt-get install -y -qq --no-install-recommends \
    shared-mime-info desktop-file-utils xdg-utils hicolor-icon-theme libglib2.0-bin >/dev/null 2>&1
# shellcheck disable=SC2086 # a list of names
system apt-get install -y -qq --no-install-recommends $depends >/dev/null 2>&1
files >"$root/tmp/before"
echo "--- installed"
system dpkg -i /tmp/segue.deb
entry="$root/usr/share/applications/segue.desktop"
system desktop-file-validate /usr/share/applications/segue.desktop
printf '{}' >"$root/tmp/one two.segue.json"
kind="$(system gio info -a standard::content-type '/tmp/one two.segue.json' | sed -n 's/.*content-type: //p')"
[ "$kind" = application/x-segue-session ] || stop "a session is taken for $kind"
[ "$(system xdg-mime query default "$kind")" = segue.desktop ] || stop "sessions do not open in Segue"
icon="$(sed -n 's/^Icon=//p' "$entry")"
[ "$(find "$root/usr/share/icons/hicolor" -name "$icon.png" | wc -l)" = 7 ] || stop "icons are missing"
program="$(sed -n 's/^Exec=\([^ ]*\).*/\1/p' "$entry")"
place="$(system sh -c "command -v $program")" || stop "the menu's '$program' is not on the PATH"
echo "--- $place, as the menu starts it"
bare "$place" --version | head -n 1
bare "$place" --selftest
bare "$place" render /tmp/a.wav --seconds 6 --prompt "minimal techno" --seed 3
[ "$(stat -c %s "$root/tmp/a.wav")" -gt 1000000 ] || stop "render wrote next to nothing"
echo "--- removed"
system dpkg -P segue
files >"$root/tmp/after"
left="$(comm -13 "$root/tmp/before" "$root/tmp/after")"
[ -z "$left" ] || stop "there is left: $left"
if grep -rqs segue "$root/usr/share/mime" "$root/usr/share/applications"; then
    stop "the desktop's tables still name Segue"
fi
echo "ok    installed, tried and removed without a trace"
