# core/smtpd/module.mk: the smtpd role and the setgid helper of local submission.
libhkrole_la_SOURCES += core/smtpd/params.h core/smtpd/maildrop.c core/smtpd/maildrop.h
smtpd_parts = core/smtpd/announce.c core/smtpd/listen.c core/smtpd/pickup.c core/smtpd/rates.c \
	core/smtpd/reopen.c core/smtpd/cleanup_view.c \
	core/smtpd/sandbox.c core/smtpd/smtpd_priv.h core/smtpd/verify.c
role_PROGRAMS += smtpd drop
smtpd_SOURCES = core/smtpd/main.c $(smtpd_parts)
smtpd_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)
drop_SOURCES = cli/drop.c core/smtpd/maildrop.c core/smtpd/maildrop.h
drop_CPPFLAGS = $(AM_CPPFLAGS)
drop_LDADD = $(HK_FLOOR3_LIBS)
check_PROGRAMS += core/smtpd/test_maildrop
core_smtpd_test_maildrop_SOURCES = core/smtpd/test_maildrop.c core/smtpd/maildrop.c \
	core/smtpd/maildrop.h
core_smtpd_test_maildrop_CPPFLAGS = $(AM_CPPFLAGS)
core_smtpd_test_maildrop_LDADD = libhkmail.la $(HK_BASE_LIBS)
check_PROGRAMS += core/smtpd/test_sandbox
core_smtpd_test_sandbox_SOURCES = core/smtpd/test_sandbox.c core/smtpd/sandbox.c \
	core/smtpd/smtpd_priv.h
core_smtpd_test_sandbox_CPPFLAGS = $(AM_CPPFLAGS)
core_smtpd_test_sandbox_LDADD = $(HK_BASE_LIBS)
EXTRA_DIST += core/smtpd/README.md
