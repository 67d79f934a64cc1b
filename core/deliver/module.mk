deliver_parts = core/deliver/children.c core/deliver/content.c core/deliver/deliver_priv.h \
	core/deliver/durable.c core/deliver/job.c core/deliver/job_ops.c core/deliver/job_priv.h \
	core/deliver/outcome.c core/deliver/params.h core/deliver/rights.c core/deliver/server.c
role_PROGRAMS += deliver
deliver_SOURCES = core/deliver/main.c $(deliver_parts)
deliver_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)
check_PROGRAMS += core/deliver/test_deliver
core_deliver_test_deliver_SOURCES = core/deliver/test_deliver.c $(deliver_parts)
core_deliver_test_deliver_LDADD = $(HK_FLOOR3_LIBS)
EXTRA_DIST += core/deliver/README.md
