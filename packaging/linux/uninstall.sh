#!/bin/sh
# Takes Segue out of this user's menus. With --everything also settings, autosaves, controller maps
# and fetched models; recordings and sessions that you saved are yours and stay.
set -eu
data="${XDG_DATA_HOME:-$HOME/.local/share}"
rm -f "$data/applications/segue.desktop" "$data/mime/packages/segue-session.xml"
for size in 16 32 48 64 128 256 512; do
    rm -f "$data/icons/hicolor/${size}x$size/apps/segue.png"
done
command -v update-mime-database >/dev/null 2>&1 && update-mime-database "$data/mime" || true
command -v update-desktop-database >/dev/null 2>&1 && update-desktop-database "$data/applications" || true
if [ "${1:-}" = --everything ]; then
    rm -rf "${data:?}/Segue" "${data:?}/segue"
fi
echo "segue: done. Delete the folder $(cd "$(dirname "$0")" && pwd) to remove the program itself."
