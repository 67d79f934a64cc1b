# hk-plugins.m4: choosing plugins: --with-plugins, --with-builtin-plugins.

# HK_PLUGIN_OPTIONS: read the options; before HK_ALL_PLUGINS.
AC_DEFUN([HK_PLUGIN_OPTIONS], [
AC_ARG_WITH([plugins],
  [AS_HELP_STRING([--with-plugins=minimal|full|LIST],
    [which plugins to build; LIST is names parted by commas, "-NAME" leaves one out of full @<:@full@:>@])],
  [], [with_plugins=full])
AC_ARG_WITH([builtin-plugins],
  [AS_HELP_STRING([--with-builtin-plugins=all|LIST],
    [plugins that are linked into the programs instead of being loaded @<:@none@:>@])],
  [], [with_builtin_plugins=])
hk_minimal="event_log_text lookup_cidr lookup_inline lookup_static lookup_texthash \
restriction_basic restriction_client restriction_helo restriction_recipient \
restriction_sender transport_discard transport_error transport_local \
transport_smtp transport_virtual"
hk_wanted=`echo ",$with_plugins," | tr '-' '!'`
hk_builtin=",$with_builtin_plugins,"
hk_plugin_report=
])

# HK_PLUGIN(NAME, NEEDS): decide about one plugin.
AC_DEFUN([HK_PLUGIN], [
hk_mode=no
case $hk_wanted in
*",!$1,"*) ;;
*,full,*|*,yes,*|*",$1,"*|*",!"*) hk_mode=module ;;
*,minimal,*) for hk_p in $hk_minimal; do
    AS_IF([test "x$hk_p" = "x$1"], [hk_mode=module]); done ;;
esac
AS_IF([test $hk_mode = module], [
  case $hk_builtin in
  *,all,*|*",$1,"*) hk_mode=builtin ;;
  esac])
AS_IF([test $hk_mode != no], [hk_plugin=$1
$2])
AM_CONDITIONAL([PLUGIN_$1], [test $hk_mode != no])
AM_CONDITIONAL([MODULE_$1], [test $hk_mode = module])
AM_CONDITIONAL([BUILTIN_$1], [test $hk_mode = builtin])
AS_IF([test $hk_mode != no], [hk_plugin_report="$hk_plugin_report $1"])
AS_IF([test $hk_mode = builtin], [hk_plugin_report="$hk_plugin_report(built-in)"])
])

# HK_NEEDS_PKG(VAR, MODULE): a library with a pkg-config file.
AC_DEFUN([HK_NEEDS_PKG], [PKG_CHECK_MODULES([$1], [$2], [],
  [AC_MSG_ERROR([plugin $hk_plugin needs $2 (leave it out with --with-plugins=full,-$hk_plugin)])])])

# HK_WANTS_PKG(VAR, MODULE): without the library the plugin is left out, unless it was asked for
# by name.
AC_DEFUN([HK_WANTS_PKG], [PKG_CHECK_MODULES([$1], [$2], [], [
  case $hk_wanted$hk_builtin in
  *",$hk_plugin,"*) AC_MSG_ERROR([plugin $hk_plugin needs $2]) ;;
  esac
  AC_MSG_WARN([plugin $hk_plugin is left out: there is no $2])
  hk_mode=no])])

# HK_NEEDS_HEADER(VAR, HEADER, LIBS): a library without one.
AC_DEFUN([HK_NEEDS_HEADER], [
AC_CHECK_HEADER([$2], [],
  [AC_MSG_ERROR([plugin $hk_plugin needs <$2> (leave it out with --with-plugins=full,-$hk_plugin)])])
AC_SUBST([$1_LIBS], [$3])
AC_SUBST([$1_CFLAGS], [])
])
