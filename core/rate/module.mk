# core/rate/module.mk: counters that all smtpd processes share.
libhkrate_la_SOURCES = core/rate/key.c core/rate/rate.c core/rate/rate.h core/rate/rate_priv.h \
	core/rate/table.c
noinst_LTLIBRARIES += libhkrate.la
check_PROGRAMS += core/rate/test_rate
core_rate_test_rate_SOURCES = core/rate/test_rate.c
core_rate_test_rate_LDADD = libhkrate.la $(HK_BASE_LIBS)
EXTRA_DIST += core/rate/README.md
