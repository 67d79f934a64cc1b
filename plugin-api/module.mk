# plugin-api/module.mk: what third parties get: headers, pkg-config file, macros, template, and
# the harness that drives a descriptor in a unit test.
hkapidir = $(includedir)/hikyaku
hkapi_HEADERS = plugin-api/hikyaku/plugin.h plugin-api/hikyaku/lookup.h \
	plugin-api/hikyaku/restriction.h plugin-api/hikyaku/transport.h \
	plugin-api/hikyaku/filter.h plugin-api/hikyaku/event.h plugin-api/hikyaku/sasl.h \
	plugin-api/hikyaku/textfile.h
pkgconfig_DATA = plugin-api/hikyaku-plugin.pc
dist_hkm4_DATA = plugin-api/hikyaku.m4

check_LTLIBRARIES += libhkharness.la
libhkharness_la_SOURCES = plugin-api/harness/harness.c plugin-api/harness/harness.h \
	plugin-api/harness/harness_loop.c plugin-api/harness/harness_services.c \
	plugin-api/harness/harness_priv.h

# For third parties: the harness as source, and whole plugins to start from.
hkharnessdir = $(pkgdatadir)/harness
dist_hkharness_DATA = plugin-api/harness/harness.c plugin-api/harness/harness.h \
	plugin-api/harness/harness_loop.c plugin-api/harness/harness_priv.h \
	plugin-api/harness/harness_services.c
hktlookupdir = $(pkgdatadir)/template/lookup
dist_hktlookup_DATA = plugin-api/template/lookup/Makefile plugin-api/template/lookup/Makefile.am \
	plugin-api/template/lookup/configure.ac plugin-api/template/lookup/lookup_example.c \
	plugin-api/template/lookup/lookup_example.conf plugin-api/template/lookup/lookup_example.md \
	plugin-api/template/lookup/test_lookup_example.c
hktfilterdir = $(pkgdatadir)/template/filter
dist_hktfilter_DATA = plugin-api/template/filter/Makefile plugin-api/template/filter/Makefile.am \
	plugin-api/template/filter/configure.ac plugin-api/template/filter/filter_example.c \
	plugin-api/template/filter/filter_example.conf plugin-api/template/filter/filter_example.md \
	plugin-api/template/filter/test_filter_example.c
EXTRA_DIST += plugin-api/template/README.md
