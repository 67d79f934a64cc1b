libhkaccess_la_SOURCES = core/access/access.c core/access/action.c core/access/compile.c \
	core/access/ops.c core/access/params.c core/access/run.c core/access/access.h \
	core/access/access_priv.h
noinst_LTLIBRARIES += libhkaccess.la
check_PROGRAMS += core/access/test_access
core_access_test_access_SOURCES = core/access/test_access.c core/route/test_rows.h \
	plugins/restriction/access/restriction_access.c \
	plugins/restriction/basic/restriction_basic.c \
	plugins/restriction/basic/restriction_basic_names.c \
	plugins/restriction/basic/restriction_basic.h
core_access_test_access_LDADD = $(HK_FLOOR5_LIBS)
EXTRA_DIST += core/access/README.md
