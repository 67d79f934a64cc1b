#!/usr/bin/env bash
# A release has every file that the repository has, but for those that are about the repository itself.
set -eu
if ! git -C "$HK_SOURCE_DIR" rev-parse --git-dir >/dev/null 2>&1; then
    echo "skipped: no repository"
    exit 0
fi
root=$(mktemp -d "${TMPDIR:-/tmp}/hk-dist-XXXXXX")
trap 'rm -rf "$root"' EXIT
make -s -C "$HK_BUILD_DIR" distdir distdir="$root/release" >/dev/null
(cd "$root/release" && find . -type f -o -type l | sed 's,^\./,,' | sort) >"$root/there"
git -C "$HK_SOURCE_DIR" ls-files | grep -vE '^\.' | sort >"$root/wanted"
comm -13 "$root/there" "$root/wanted" >"$root/missing"
if [ -s "$root/missing" ]; then
    echo "not in a release (a module.mk does not name them):"
    cat "$root/missing"
    exit 1
fi
echo "$(wc -l <"$root/wanted") files"
