libhkroute_la_SOURCES = core/route/class.c core/route/interfaces.c core/route/params.c core/route/probes.c \
	core/route/resolve.c core/route/rewrite.c core/route/router.c core/route/route.h \
	core/route/route_priv.h
noinst_LTLIBRARIES += libhkroute.la
check_PROGRAMS += core/route/test_route core/route/test_probes
core_route_test_route_SOURCES = core/route/test_route.c core/route/test_rows.h
core_route_test_probes_SOURCES = core/route/test_probes.c core/route/test_rows.h
core_route_test_probes_LDADD = $(HK_FLOOR4_LIBS)
core_route_test_route_LDADD = $(HK_FLOOR4_LIBS)
EXTRA_DIST += core/route/README.md
