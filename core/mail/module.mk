libhkmail_la_SOURCES = core/mail/address.c core/mail/address.h core/mail/address_list.c \
	core/mail/address_priv.h core/mail/address_scan.c core/mail/domain.c core/mail/dsn.c \
	core/mail/dsn.h core/mail/dsn_lines.c core/mail/dsn_parts.c core/mail/dsn_priv.h \
	core/mail/envelope.c core/mail/envelope.h core/mail/header.c core/mail/header.h \
	core/mail/received.c core/mail/reply.c core/mail/reply.h core/mail/reply_reader.c \
	core/mail/verp.c core/mail/verp.h
noinst_LTLIBRARIES += libhkmail.la
check_PROGRAMS += core/mail/test_address core/mail/test_header core/mail/test_reply \
	core/mail/test_envelope core/mail/test_dsn core/mail/test_verp
core_mail_test_verp_SOURCES = core/mail/test_verp.c
core_mail_test_verp_LDADD = libhkmail.la $(HK_BASE_LIBS)
core_mail_test_address_SOURCES = core/mail/test_address.c
core_mail_test_address_LDADD = libhkmail.la $(HK_BASE_LIBS)
core_mail_test_header_SOURCES = core/mail/test_header.c
core_mail_test_header_LDADD = libhkmail.la $(HK_BASE_LIBS)
core_mail_test_reply_SOURCES = core/mail/test_reply.c
core_mail_test_reply_LDADD = libhkmail.la $(HK_BASE_LIBS)
core_mail_test_envelope_SOURCES = core/mail/test_envelope.c
core_mail_test_envelope_LDADD = libhkmail.la $(HK_BASE_LIBS)
core_mail_test_dsn_SOURCES = core/mail/test_dsn.c
core_mail_test_dsn_LDADD = libhkmail.la $(HK_BASE_LIBS)
EXTRA_DIST += core/mail/README.md
