# hikyaku.m4: autoconf macros for plugins of Hikyaku.
#
# HK_PLUGIN_API([ABI])
# Find the plugin headers by pkg-config and set HIKYAKU_CFLAGS, hk_plugindir, hk_snippetdir,
# hk_docdir and HIKYAKU_LDFLAGS (for a libtool module).  ABI "MAJOR.MINOR" is what the plugin
# needs at least; the headers' major must be equal and their minor not lower.
AC_DEFUN([HK_PLUGIN_API], [
PKG_CHECK_MODULES([HIKYAKU], [hikyaku-plugin])
PKG_CHECK_VAR([hk_plugindir], [hikyaku-plugin], [plugindir])
PKG_CHECK_VAR([hk_snippetdir], [hikyaku-plugin], [snippetdir])
PKG_CHECK_VAR([hk_docdir], [hikyaku-plugin], [docdir])
PKG_CHECK_VAR([hk_abi_major], [hikyaku-plugin], [abi_major])
PKG_CHECK_VAR([hk_abi_minor], [hikyaku-plugin], [abi_minor])
m4_ifval([$1], [
AC_MSG_CHECKING([for the plugin interface $1])
hk_want_major=`echo "$1" | cut -d. -f1`
hk_want_minor=`echo "$1" | cut -d. -f2`
AS_IF([test "$hk_abi_major" = "$hk_want_major" && test "$hk_abi_minor" -ge "$hk_want_minor"],
  [AC_MSG_RESULT([$hk_abi_major.$hk_abi_minor])],
  [AC_MSG_RESULT([$hk_abi_major.$hk_abi_minor])
   AC_MSG_ERROR([this plugin needs the plugin interface $1])])
])
HIKYAKU_LDFLAGS="-module -avoid-version -shared -no-undefined -Wl,-z,defs -Wl,-z,now -export-symbols-regex '_LTX_hikyaku_plugin_@<:@0-9@:>@+\$\$'"
AC_SUBST([HIKYAKU_LDFLAGS])
])
