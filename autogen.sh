#!/bin/sh
# Collect the rooms and plugins into build fragments, then make `configure`.
#
# A room of the core is a folder core/ROOM with a module.mk; a plugin is a folder
# plugins/CLASS/NAME with a module.mk of a few variables.  Nothing else names them.
set -eu
cd "$(dirname "$0")"

mkdir -p build-aux m4
{
    echo '# Made by autogen.sh: the rooms of the core.'
    for f in core/*/module.mk; do
        [ -f "$f" ] && echo "include $f"
    done
} > build-aux/rooms.mk
{
    echo '# Made by autogen.sh: the system tests.'
    for f in tests/system/*/run tests/dialogue/run tests/abi/run; do
        [ -x "$f" ] && echo "hk_tap_tests += $f"
    done
} > build-aux/tests.mk
{
    echo '# Made by autogen.sh: the fuzzers, built with --enable-fuzzers.'
    echo 'if FUZZERS'
    for f in tests/fuzz/fuzz_*.c; do
        [ -f "$f" ] || continue
        n=${f%.c} c=$(echo "${f%.c}" | tr / _)
        printf 'noinst_PROGRAMS += %s\n%s_SOURCES = %s\n' "$n" "$c" "$f"
        printf '%s_LDADD = $(HK_FLOOR6_LIBS)\n%s_LDFLAGS = -fsanitize=fuzzer\n' "$c" "$c"
    done
    echo endif
} > build-aux/fuzz.mk

# One plugin: the rules that every plugin has, from the variables of its module.mk.
plugin_rules () {
    p=$1 dir=$2
    cat <<EOF

# $p
include $dir/module.mk
EXTRA_DIST += $dir/$p.conf $dir/$p.md
if PLUGIN_$p
HK_BUNDLED_NAMES += $p
pluginsnippet_DATA += $dir/$p.conf
plugindoc_DATA += $dir/$p.md
endif
if MODULE_$p
plugin_LTLIBRARIES += $p.la
${p}_la_SOURCES = \$(plugin_${p}_SOURCES)
${p}_la_CPPFLAGS = \$(HK_PLUGIN_CPPFLAGS)
${p}_la_CFLAGS = \$(AM_CFLAGS) \$(plugin_${p}_CFLAGS)
${p}_la_LDFLAGS = \$(HK_LDFLAGS_PLUGIN)
${p}_la_LIBADD = \$(plugin_${p}_LIBS) \$(GLIB_LIBS)
endif
if BUILTIN_$p
noinst_LTLIBRARIES += libbuiltin_$p.la
libbuiltin_${p}_la_SOURCES = \$(plugin_${p}_SOURCES)
libbuiltin_${p}_la_CPPFLAGS = \$(HK_PLUGIN_CPPFLAGS)
libbuiltin_${p}_la_CFLAGS = \$(AM_CFLAGS) \$(plugin_${p}_CFLAGS)
HK_BUILTIN_LIBS += libbuiltin_$p.la \$(plugin_${p}_LIBS)
HK_BUILTIN_NAMES += $p
endif
EOF
    if grep -q "^plugin_${p}_TESTS" "$dir/module.mk"; then
        cat <<EOF
if PLUGIN_$p
check_PROGRAMS += $dir/test_$p
endif
$(echo "$dir/test_$p" | tr -c 'A-Za-z0-9_\n' _)_SOURCES = \$(plugin_${p}_TESTS) \$(plugin_${p}_SOURCES)
$(echo "$dir/test_$p" | tr -c 'A-Za-z0-9_\n' _)_CPPFLAGS = \$(HK_PLUGIN_CPPFLAGS) -I\$(top_srcdir)/plugin-api/harness
$(echo "$dir/test_$p" | tr -c 'A-Za-z0-9_\n' _)_CFLAGS = \$(AM_CFLAGS) \$(plugin_${p}_CFLAGS)
$(echo "$dir/test_$p" | tr -c 'A-Za-z0-9_\n' _)_LDADD = libhkharness.la \$(plugin_${p}_LIBS) \$(GLIB_LIBS)
EOF
    fi
}

# "# needs: gdbm=gdbm.h:-lgdbm | onig=pkg:oniguruma" becomes one macro call a library.
# "# wants: nsl=pkg:libnsl": without the library configure leaves the plugin out, and says so.
plugin_needs () {
    sed -n 's/^# wants: *//p' "$1" | while IFS='=' read -r var spec; do
        echo "    HK_WANTS_PKG([$(echo "$var" | tr a-z A-Z)], [${spec#pkg:}])"
    done
    sed -n 's/^# needs: *//p' "$1" | tr '|' '\n' | while IFS='=' read -r var spec; do
        var=$(echo "$var" | tr -d ' ' | tr a-z A-Z) spec=$(echo "$spec" | tr -d ' ')
        case $spec in
        pkg:*) echo "    HK_NEEDS_PKG([$var], [${spec#pkg:}])" ;;
        *:*) echo "    HK_NEEDS_HEADER([$var], [${spec%%:*}], [${spec#*:}])" ;;
        esac
    done
}

mk=build-aux/plugins.mk m4=m4/hk-plugins-list.m4
echo '# Made by autogen.sh: the rules of the plugins.' > $mk
{
    echo '# Made by autogen.sh: which plugins there are and what they need.'
    echo 'AC_DEFUN([HK_ALL_PLUGINS], ['
} > $m4
for f in plugins/*/*/module.mk; do
    [ -f "$f" ] || continue
    dir=${f%/module.mk} name=${f%/module.mk}
    name=${name##*/} class=${dir#plugins/}
    p=${class%%/*}_$name
    case $p in
    *[!a-z0-9_]*) echo "autogen.sh: $dir: a plugin's name is [a-z0-9_]+" >&2; exit 1 ;;
    esac
    plugin_rules "$p" "$dir" >> $mk
    { echo "  HK_PLUGIN([$p], ["; plugin_needs "$f"; echo "  ])"; } >> $m4
done
echo '])' >> $m4

exec autoreconf --install --force --warnings=all,no-obsolete "$@"
