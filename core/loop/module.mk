libhkloop_la_SOURCES = core/loop/loop.c core/loop/loop.h core/loop/loop_priv.h \
	core/loop/timer.c core/loop/workers.c
noinst_LTLIBRARIES += libhkloop.la
check_PROGRAMS += core/loop/test_loop
core_loop_test_loop_SOURCES = core/loop/test_loop.c
core_loop_test_loop_LDADD = libhkloop.la $(HK_BASE_LIBS)
EXTRA_DIST += core/loop/README.md
