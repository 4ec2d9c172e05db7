#!/usr/bin/env bash
# Makes the Linux downloads from a finished bundle: a .deb, a tarball, and an AppImage where
# appimagetool is on the PATH. No network.
#   packaging/linux/build.sh BUNDLE OUT
#   BUNDLE: the folder from packaging/build.py; OUT: where the downloads go.
# Settings (environment): XZ_LEVEL for the tarball, 3 unless told otherwise (0 is quick and larger).
set -eu
say() { printf 'segue: %s\n' "$*"; }
stop() { printf 'segue: %s\n' "$*" >&2; exit 2; }
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
[ $# = 2 ] || stop "say: packaging/linux/build.sh BUNDLE OUT"
bundle="$(cd "$1" && pwd)"
[ -x "$bundle/segue" ] || stop "$bundle holds no segue: build it with python packaging/build.py"
mkdir -p "$2"
out="$(cd "$2" && pwd)"
icons="${SEGUE_ICONS:-$(dirname "$(dirname "$bundle")")/icons}"
[ -f "$icons/segue-256.png" ] || stop "no icons in $icons: python packaging/icons.py $icons"
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/pyproject.toml")"
machine="$(uname -m)"
case "$machine" in x86_64) debian=amd64 ;; aarch64) debian=arm64 ;; *) debian="$machine" ;; esac
level="${XZ_LEVEL:-3}"
# The newest glibc that any library of the bundle asks for: older systems cannot start it.
glibc="$(grep -rhaoE 'GLIBC_2\.[0-9]+' "$bundle" | sed 's/GLIBC_//' | sort -Vu | tail -n 1)"
[ -n "$glibc" ] || stop "$bundle asks for no glibc: is it a bundle for Linux?"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Desktop file, MIME type and icons, below a prefix.
integrate() {
    install -Dm644 "$here/segue.desktop" "$1/share/applications/segue.desktop"
    install -Dm644 "$here/segue-session.xml" "$1/share/mime/packages/segue-session.xml"
    local size
    for size in 16 32 48 64 128 256 512; do
        install -Dm644 "$icons/segue-$size.png" \
            "$1/share/icons/hicolor/${size}x$size/apps/segue.png"
    done
}

# --- the tarball: the bundle, what a desktop wants to know, and two scripts ------------------------
name="segue-$version-linux-$machine"
mkdir "$work/$name"
cp -a "$bundle" "$work/$name/segue"
integrate "$work/$name"
install -m755 "$here/install.sh" "$here/uninstall.sh" "$work/$name/"
say "packing $name.tar.xz"
tar -C "$work" --owner=0 --group=0 --sort=name -cf - "$name" | xz "-$level" -T0 >"$out/$name.tar.xz"

# --- the .deb ---------------------------------------------------------------------------------------
deb="$work/deb"
mkdir -p "$deb/opt" "$deb/DEBIAN" "$deb/usr/bin"
cp -a "$bundle" "$deb/opt/segue"
integrate "$deb/usr"
ln -s /opt/segue/segue "$deb/usr/bin/segue"
install -Dm644 "$root/LICENSE" "$deb/usr/share/doc/segue/copyright"
ln -s /opt/segue/_internal/resources/licences/third-party.txt "$deb/usr/share/doc/segue/"
cat >"$deb/DEBIAN/control" <<EOF
Package: segue
Version: $version
Architecture: $debian
Maintainer: The Segue authors <segue@localhost>
Installed-Size: $(du -sk "$deb" | cut -f1)
Section: sound
Priority: optional
Depends: libc6 (>= $glibc), libasound2 | libasound2t64, libegl1, libgl1, libopengl0, libxcb1
Recommends: libasound2-plugins
Description: instrument that plays an endless stream of generated music
 Segue plays music made by a generative model on this machine, and is steered
 while it plays: by prompts, knobs, keys, MIDI controllers and OSC.
EOF
# The system's own triggers take note of the desktop file, the MIME type and the icons. zstd packs
# and unpacks this much in seconds; every dpkg that comes with a glibc of 2.35 or later reads it.
say "packing segue_${version}_$debian.deb, for glibc $glibc and later"
dpkg-deb --root-owner-group -Zzstd -z10 --build "$deb" "$out/segue_${version}_$debian.deb" >/dev/null

# --- the AppImage -----------------------------------------------------------------------------------
if command -v appimagetool >/dev/null 2>&1; then
    app="$work/Segue.AppDir"
    mkdir -p "$app/usr"
    cp -a "$bundle" "$app/usr/segue"
    integrate "$app/usr"
    cp "$here/segue.desktop" "$app/segue.desktop"
    cp "$icons/segue-256.png" "$app/segue.png"
    install -m755 "$here/AppRun" "$app/AppRun"
    say "packing Segue-$version-$machine.AppImage"
    ARCH="$machine" appimagetool "$app" "$out/Segue-$version-$machine.AppImage"
else
    say "appimagetool is not here, so there is no AppImage; the tarball needs no more than it would."
fi
# --- what is larger than it may be is not shipped ---------------------------------------------------
for made in "$out/$name.tar.xz" "$out/segue_${version}_$debian.deb"; do
    say "$(basename "$made"): $(($(stat -c %s "$made") / 1000000)) MB"
    [ "${SEGUE_ANY_SIZE:-}" ] || [ "$(stat -c %s "$made")" -le 300000000 ] ||
        stop "$made is larger than 300 MB: see packaging/sizes.py."
done
