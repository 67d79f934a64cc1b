libhktls_la_SOURCES = core/tls/certs.c core/tls/context.c core/tls/info.c core/tls/params.c \
	core/tls/parent.c core/tls/parent.h core/tls/pem.c core/tls/priority.c core/tls/stream.c core/tls/suites.c core/tls/tickets.c \
	core/tls/tls.h core/tls/tls_priv.h
libhktls_la_CFLAGS = $(AM_CFLAGS) $(GNUTLS_CFLAGS)
noinst_LTLIBRARIES += libhktls.la
check_PROGRAMS += core/tls/test_tls
core_tls_test_tls_SOURCES = core/tls/test_tls.c
core_tls_test_tls_CFLAGS = $(AM_CFLAGS) $(GNUTLS_CFLAGS)
core_tls_test_tls_LDADD = libhktls.la $(HK_FLOOR1_LIBS) $(GNUTLS_LIBS)
EXTRA_DIST += core/tls/README.md
