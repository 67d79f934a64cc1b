role_PROGRAMS += qmgr
HK_QMGR_SOURCES = core/qmgr/active.c core/qmgr/announce.c core/qmgr/change.c \
	core/qmgr/content.c core/qmgr/dispatch.c core/qmgr/dispatch_priv.h core/qmgr/list.c \
	core/qmgr/notice.c core/qmgr/params.h core/qmgr/probe.c core/qmgr/promise.c core/qmgr/qmgr.c \
	core/qmgr/qmgr_priv.h core/qmgr/result.c \
	core/qmgr/route.c core/qmgr/settle.c core/qmgr/submit.c core/qmgr/tools.c \
	core/qmgr/transport.c core/qmgr/verify.c core/qmgr/verify_priv.h core/qmgr/waiting.c
qmgr_SOURCES = core/qmgr/main.c $(HK_QMGR_SOURCES)
qmgr_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)

check_PROGRAMS += core/qmgr/test_qmgr
core_qmgr_test_qmgr_SOURCES = core/qmgr/test_qmgr.c core/qmgr/test_rig.c core/qmgr/test_rig.h \
	$(HK_QMGR_SOURCES)
core_qmgr_test_qmgr_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)
check_PROGRAMS += core/qmgr/test_promise
core_qmgr_test_promise_SOURCES = core/qmgr/test_promise.c core/qmgr/test_rig.c core/qmgr/test_rig.h \
	$(HK_QMGR_SOURCES)
core_qmgr_test_promise_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)
check_PROGRAMS += core/qmgr/test_verify
core_qmgr_test_verify_SOURCES = core/qmgr/test_verify.c core/qmgr/test_rig.c \
	core/qmgr/test_rig.h $(HK_QMGR_SOURCES)
core_qmgr_test_verify_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)
EXTRA_DIST += core/qmgr/README.md
