#!/usr/bin/env bash
# Signs Segue.app, makes the .dmg and has Apple notarise it. NOT RUN YET: needs macOS.
#   packaging/macos/build.sh BUNDLE/Segue.app OUT
# Settings (environment): SEGUE_SIGN_AS, a "Developer ID Application" identity; without it the app is
# signed ad hoc, which runs on the machine that built it and asks for a right click elsewhere.
# SEGUE_NOTARY, a profile stored with `xcrun notarytool store-credentials`; without it nothing is
# notarised.
set -eu
say() { printf 'segue: %s\n' "$*"; }
stop() { printf 'segue: %s\n' "$*" >&2; exit 2; }
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
[ "$(uname -s)" = Darwin ] || stop "this needs macOS."
[ $# = 2 ] || stop "say: packaging/macos/build.sh Segue.app OUT"
app="$(cd "$1" && pwd)"
mkdir -p "$2"
out="$(cd "$2" && pwd)"
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/pyproject.toml")"
dmg="$out/segue-$version-macos-$(uname -m).dmg"
identity="${SEGUE_SIGN_AS:--}"

# From the inside out: libraries first, the app last.
options=(--force --options runtime --sign "$identity")
if [ "$identity" != - ]; then options+=(--timestamp); fi
find "$app/Contents" -type f \( -name '*.dylib' -o -name '*.so' \) -print0 |
    xargs -0 -n 50 codesign "${options[@]}"
find "$app/Contents/Frameworks" -type d -name '*.framework' -prune -print0 2>/dev/null |
    xargs -0 -n 1 -I{} codesign "${options[@]}" {}
codesign "${options[@]}" --entitlements "$here/entitlements.plist" "$app"
codesign --verify --deep --strict "$app"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cp -R "$app" "$work/Segue.app"
ln -s /Applications "$work/Applications"
rm -f "$dmg"
hdiutil create -volname Segue -srcfolder "$work" -fs HFS+ -format ULFO "$dmg"

if [ -n "${SEGUE_NOTARY:-}" ]; then
    [ "$identity" != - ] || stop "Apple notarises only what a Developer ID has signed: set SEGUE_SIGN_AS."
    codesign --sign "$identity" --timestamp "$dmg"
    xcrun notarytool submit "$dmg" --keychain-profile "$SEGUE_NOTARY" --wait
    xcrun stapler staple "$dmg"
    spctl --assess --type open --context context:primary-signature "$dmg"
else
    say "not notarised; SEGUE_NOTARY names a profile to do it with."
fi
say "$dmg"
