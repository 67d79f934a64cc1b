libhkintake_la_SOURCES = core/intake/alias.c core/intake/edits.c core/intake/envelope.c core/intake/expand.c \
	core/intake/filter.c core/intake/header_addresses.c \
	core/intake/headers.c core/intake/incoming.c core/intake/intake.c \
	core/intake/params.c core/intake/scan.c core/intake/spool.c core/intake/intake.h \
	core/intake/intake_priv.h
noinst_LTLIBRARIES += libhkintake.la
check_PROGRAMS += core/intake/test_intake
core_intake_test_intake_SOURCES = core/intake/test_intake.c core/route/test_rows.h \
	core/store/test_store_util.h \
	plugins/filter/header_checks/filter_header_checks.c \
	plugins/filter/header_checks/filter_header_checks_actions.c \
	plugins/filter/header_checks/filter_header_checks_mime.c \
	plugins/filter/header_checks/filter_header_checks.h
core_intake_test_intake_LDADD = $(HK_FLOOR5_LIBS)
EXTRA_DIST += core/intake/README.md
