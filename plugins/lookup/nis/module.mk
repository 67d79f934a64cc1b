plugin_lookup_nis_SOURCES = plugins/lookup/nis/lookup_nis.c
plugin_lookup_nis_CFLAGS = $(NSL_CFLAGS)
plugin_lookup_nis_LIBS = $(NSL_LIBS)
plugin_lookup_nis_TESTS = plugins/lookup/nis/test_lookup_nis.c
# wants: nsl=pkg:libnsl
