libhksched_la_SOURCES = core/sched/limits.c core/sched/message.c core/sched/sched.c \
	core/sched/sched.h core/sched/sched_priv.h core/sched/site.c
libhksched_la_LIBADD = -lm
noinst_LTLIBRARIES += libhksched.la

check_PROGRAMS += core/sched/test_sched core/sched/test_limits
core_sched_test_sched_SOURCES = core/sched/test_sched.c
core_sched_test_sched_LDADD = libhksched.la $(HK_FLOOR1_LIBS) -lm
core_sched_test_limits_SOURCES = core/sched/test_limits.c
core_sched_test_limits_LDADD = libhksched.la $(HK_FLOOR1_LIBS) -lm
EXTRA_DIST += core/sched/README.md
