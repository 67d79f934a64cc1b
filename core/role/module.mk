libhkrole_la_SOURCES = core/role/params.c core/role/params.h core/role/users.c core/role/users.h \
	core/role/process.c core/role/process.h core/role/service.c core/role/service.h \
	core/master/params.c core/smtpd/params.c core/qmgr/params.c core/qmgr/verify_params.c core/deliver/params.c \
	core/spawn/params.c
noinst_LTLIBRARIES += libhkrole.la
check_PROGRAMS += core/role/test_process
core_role_test_process_SOURCES = core/role/test_process.c
core_role_test_process_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)
EXTRA_DIST += core/role/README.md
