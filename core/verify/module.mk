# core/verify/module.mk: what is known about addresses that were probed.
libhkverify_la_SOURCES = core/verify/cache.c core/verify/file.c core/verify/verify.h \
	core/verify/verify_priv.h
noinst_LTLIBRARIES += libhkverify.la
check_PROGRAMS += core/verify/test_verify
core_verify_test_verify_SOURCES = core/verify/test_verify.c
core_verify_test_verify_LDADD = libhkverify.la $(HK_BASE_LIBS)
EXTRA_DIST += core/verify/README.md
