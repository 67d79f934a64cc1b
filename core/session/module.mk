# core/session/module.mk
libhksession_la_SOURCES = core/session/auth.c core/session/auth.h core/session/auth_backend.c \
	core/session/auth_params.c core/session/auth_priv.h core/session/auth_syntax.c \
	core/session/check.c core/session/command.c core/session/content.c \
	core/session/content.h core/session/data.c core/session/dialogue.c \
	core/session/esmtp.c core/session/esmtp.h core/session/esmtp_syntax.c \
	core/session/esmtp_syntax.h \
	core/session/filter.c core/session/footer.c core/session/params.c \
	core/session/reply.c core/session/report.c core/session/session.c core/session/session.h \
	core/session/session_priv.h core/session/sessions.c core/session/syntax.c \
	core/session/syntax.h core/session/session_tls.h core/session/tls.c \
	core/session/tls_config.c core/session/tls_names.c core/session/tls_params.c \
	core/session/transaction.c \
	core/session/attributes.c core/session/attributes.h core/session/guard.c \
	core/session/guard.h core/session/guard_rules.c core/session/proxy.c \
	core/session/screen.c core/session/screen.h core/session/screen_conf.c \
	core/session/screen_deep.c core/session/screen_priv.h \
	core/session/screen_report.c core/session/screen_sites.c core/session/screen_view.c \
	core/session/xclient.c core/session/xforward.c \
	core/session/qmqp.c core/session/qmqp.h core/session/qmqp_message.c \
	core/session/qmqp_parse.c core/session/qmqp_parse.h core/session/qmqp_priv.h \
	core/session/qmqp_report.c core/session/qmqp_service.c
noinst_LTLIBRARIES += libhksession.la
check_PROGRAMS += core/session/test_content core/session/test_syntax core/session/test_session \
	core/session/test_auth
core_session_test_content_SOURCES = core/session/test_content.c
core_session_test_content_LDADD = libhksession.la $(HK_BASE_LIBS)
core_session_test_syntax_SOURCES = core/session/test_syntax.c
core_session_test_syntax_LDADD = libhksession.la libhkmail.la $(HK_BASE_LIBS)
# access and intake are played by the test itself
core_session_test_session_SOURCES = core/session/test_session.c core/session/session_fakes.c \
	core/session/session_fakes.h
core_session_test_session_LDADD = libhksession.la $(HK_FLOOR4_LIBS)
core_session_test_auth_SOURCES = core/session/test_auth.c core/session/session_fakes.c \
	core/session/session_fakes.h
core_session_test_auth_LDADD = libhksession.la $(HK_FLOOR4_LIBS)
EXTRA_DIST += core/session/README.md
check_PROGRAMS += core/session/test_guard core/session/test_screen core/session/test_esmtp
core_session_test_esmtp_SOURCES = core/session/test_esmtp.c
core_session_test_esmtp_LDADD = libhksession.la libhkmail.la $(HK_BASE_LIBS)
core_session_test_guard_SOURCES = core/session/test_guard.c core/session/session_fakes.c \
	core/session/session_fakes.h
core_session_test_guard_LDADD = libhksession.la $(HK_FLOOR4_LIBS)
core_session_test_screen_SOURCES = core/session/test_screen.c core/session/session_fakes.c \
	core/session/session_fakes.h
core_session_test_screen_LDADD = libhksession.la $(HK_FLOOR4_LIBS)
check_PROGRAMS += core/session/test_qmqp
core_session_test_qmqp_SOURCES = core/session/test_qmqp.c
core_session_test_qmqp_LDADD = libhksession.la $(HK_BASE_LIBS)
