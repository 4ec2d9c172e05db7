#!/bin/sh
# Enters Segue, where it lies, into this user's menus. Nothing is copied but three small files and
# the icons; uninstall.sh takes them away again.
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
data="${XDG_DATA_HOME:-$HOME/.local/share}"
mkdir -p "$data/applications" "$data/mime/packages" "$data/icons"
# In a desktop file, a path is put in quotes, and four characters are escaped in it.
program="$(printf '%s' "$here/segue/segue" | sed 's/[\\"`$]/\\\\&/g; s/%/%%/g')"
grep -v '^Exec=' "$here/share/applications/segue.desktop" >"$data/applications/segue.desktop"
printf 'Exec="%s" %%f\n' "$program" >>"$data/applications/segue.desktop"
cp "$here/share/mime/packages/segue-session.xml" "$data/mime/packages/"
cp -r "$here/share/icons/hicolor" "$data/icons/"
command -v update-mime-database >/dev/null 2>&1 && update-mime-database "$data/mime" || true
command -v update-desktop-database >/dev/null 2>&1 && update-desktop-database "$data/applications" || true
echo "segue: Segue is in your menus. It stays where it is: $here"
