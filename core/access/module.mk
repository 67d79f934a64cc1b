libhkaccess_la_SOURCES = core/access/access.c core/access/action.c core/access/compile.c \
	core/access/dns_memo.c core/access/ops.c core/access/params.c core/access/run.c \
	core/access/task.c core/access/words.c core/access/access.h \
	core/access/access_priv.h
noinst_LTLIBRARIES += libhkaccess.la
check_PROGRAMS += core/access/test_access core/access/test_task core/access/measure_access
access_test_parts = core/access/test_access.h core/route/test_rows.h \
	plugins/restriction/basic/restriction_basic.c \
	plugins/restriction/client/restriction_client.c \
	plugins/restriction/helo/restriction_helo.c \
	plugins/restriction/recipient/restriction_recipient.c \
	plugins/restriction/sender/restriction_sender.c \
	plugins/restriction/address.h plugins/restriction/names.h \
	plugins/restriction/table.h plugins/restriction/words.h
core_access_test_access_SOURCES = core/access/test_access.c $(access_test_parts)
core_access_test_access_LDADD = $(HK_FLOOR5_LIBS)
core_access_measure_access_SOURCES = core/access/measure_access.c core/route/test_rows.h \
	plugins/restriction/basic/restriction_basic.c \
	plugins/restriction/client/restriction_client.c \
	plugins/restriction/recipient/restriction_recipient.c \
	plugins/restriction/address.h plugins/restriction/names.h \
	plugins/restriction/table.h plugins/restriction/words.h
core_access_measure_access_LDADD = $(HK_FLOOR5_LIBS)
core_access_test_task_SOURCES = core/access/test_task.c $(access_test_parts)
core_access_test_task_LDADD = $(HK_FLOOR5_LIBS)
EXTRA_DIST += core/access/README.md
