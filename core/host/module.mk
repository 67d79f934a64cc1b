libhkhost_la_SOURCES = core/host/authorized.c core/host/authorized.h core/host/build.c core/host/call.c core/host/events.c core/host/events.h core/host/host.h \
	core/host/host_priv.h core/host/instance.c core/host/ltdl.c core/host/maps.c \
	core/host/maps.h core/host/match.c core/host/registry.c core/host/search.c \
	core/host/services.c core/host/verify.c
noinst_LTLIBRARIES += libhkhost.la
check_PROGRAMS += core/host/test_host core/host/test_search core/host/test_maps
core_host_test_host_SOURCES = core/host/test_host.c core/host/test_table.h
core_host_test_host_LDADD = $(HK_FLOOR3_LIBS)
core_host_test_search_SOURCES = core/host/test_search.c
core_host_test_search_LDADD = $(HK_FLOOR3_LIBS)
core_host_test_maps_SOURCES = core/host/test_maps.c core/host/test_table.h
core_host_test_maps_LDADD = $(HK_FLOOR3_LIBS)
EXTRA_DIST += core/host/README.md

# The plugin interface as a whole: what must not load, and what must not move.
check_PROGRAMS += tests/abi/test_layout tests/abi/test_refused
tests_abi_test_layout_SOURCES = tests/abi/test_layout.c
tests_abi_test_layout_LDADD = $(GLIB_LIBS)
tests_abi_test_refused_SOURCES = tests/abi/test_refused.c
tests_abi_test_refused_LDADD = $(HK_FLOOR3_LIBS)
EXTRA_DIST += tests/abi/README.md tests/abi/layout_0.txt
