# cli/module.mk: the one program of an admin; Postfix's names are links to it.
sbin_PROGRAMS += hikyaku
hikyaku_SOURCES = cli/main.c cli/cli.h cli/alias.c cli/cat.c cli/check.c cli/check.h \
	cli/check_access.c cli/check_builds.c cli/check_lines.c cli/conf.c cli/conf.h cli/conf_edit.c \
	cli/conf_master.c cli/conf_modes.c cli/conf_notice.c cli/conf_show.c cli/control.c \
	cli/fsck.c cli/kick.c cli/lock.c cli/log.c cli/man.c cli/map.c cli/message_keys.c \
	cli/message_keys.h cli/multi.c cli/multi.h cli/multi_destroy.c cli/multi_edit.c \
	cli/plugin.c cli/progress.c cli/progress.h cli/queue.c cli/queue.h cli/sendmail.c \
	cli/stats.c cli/super.c cli/tables.c \
	cli/tables.h cli/tables_ask.c cli/verify.c
hikyaku_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
hikyaku_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)

HK_SBIN_NAMES = postfix postconf postmap postalias postqueue postsuper postcat postlog \
	postlock postkick postmulti sendmail
HK_BIN_NAMES = mailq newaliases

install-exec-hook:
if POSTFIX_NAMES
	cd '$(DESTDIR)$(sbindir)' && for n in $(HK_SBIN_NAMES); do $(LN_S) -f hikyaku $$n; done
	cd '$(DESTDIR)$(sbindir)' && $(LN_S) -f '$(roledir)/drop' postdrop
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	cd '$(DESTDIR)$(bindir)' && for n in $(HK_BIN_NAMES); do \
	  $(LN_S) -f '$(sbindir)/hikyaku' $$n; done
endif

# Modules are found by their .so; libtool's description of each would be a file for nobody.
install-data-hook:
	for n in $(plugin_LTLIBRARIES); do rm -f '$(DESTDIR)$(plugindir)'/$$n; done

uninstall-hook:
	for n in $(plugin_LTLIBRARIES); do rm -f '$(DESTDIR)$(plugindir)'/$${n%.la}.so; done
if POSTFIX_NAMES
	for n in $(HK_SBIN_NAMES) postdrop; do rm -f '$(DESTDIR)$(sbindir)'/$$n; done
	for n in $(HK_BIN_NAMES); do rm -f '$(DESTDIR)$(bindir)'/$$n; done
endif

check_PROGRAMS += cli/test_params cli/test_conf
cli_test_params_SOURCES = cli/test_params.c
cli_test_params_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)
cli_test_conf_SOURCES = cli/test_conf.c cli/conf.c cli/conf.h cli/conf_edit.c cli/conf_master.c \
	cli/conf_modes.c cli/conf_notice.c cli/conf_show.c
cli_test_conf_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
cli_test_conf_LDADD = $(HK_FLOOR3_LIBS)
check_PROGRAMS += cli/test_message_keys cli/test_progress
cli_test_message_keys_SOURCES = cli/test_message_keys.c cli/message_keys.c
cli_test_message_keys_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
cli_test_message_keys_LDADD = $(HK_BASE_LIBS)
cli_test_progress_SOURCES = cli/test_progress.c cli/progress.c
cli_test_progress_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
cli_test_progress_LDADD = $(HK_BASE_LIBS)
