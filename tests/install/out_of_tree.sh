#!/usr/bin/env bash
# Third parties: an out-of-tree lookup and filter, built with nothing but the installed headers and
# pkg-config, are enabled in conf.d and change a delivered message.
set -eu
root=$(mktemp -d "${TMPDIR:-/tmp}/hk-install-XXXXXX")
chmod 755 "$root" # the roles are other users
[ -n "${HK_TEST_KEEP:-}" ] || trap 'rm -rf "$root"' EXIT
make -s -C "$HK_BUILD_DIR" install DESTDIR="$root" >/dev/null
prefix=$(sed -n 's/^prefix = //p' "$HK_BUILD_DIR/Makefile")
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$root$prefix/lib/pkgconfig
echo "headers: $(pkg-config --cflags hikyaku-plugin)"

mkdir "$root/src"
for kind in lookup filter; do
    cp -r "$HK_SOURCE_DIR/plugin-api/template/$kind" "$root/src/$kind"
    make -s -C "$root/src/$kind"
    find "$root/src/$kind" -name '*.so' -exec cp {} "$root$prefix/lib/hikyaku/" \;
done
chmod go-w "$root$prefix"/lib/hikyaku/*
HK_INSTALL_ROOT=$root HK_INSTALL_PREFIX=$prefix python3 "$HK_SOURCE_DIR/tests/install/out_of_tree.py"
