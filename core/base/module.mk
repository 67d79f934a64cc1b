libhkbase_la_SOURCES = core/base/bytes.c core/base/bytes.h core/base/clock.c core/base/clock.h \
	core/base/crc32c.c core/base/crc32c.h core/base/heap.c core/base/heap.h core/base/log.c core/base/log.h core/base/pack.c \
	core/base/pack.h core/base/stats.c core/base/stats.h core/base/text.c core/base/text.h
noinst_LTLIBRARIES += libhkbase.la
check_PROGRAMS += core/base/test_base
core_base_test_base_SOURCES = core/base/test_base.c
core_base_test_base_LDADD = $(HK_BASE_LIBS)
EXTRA_DIST += core/base/README.md
