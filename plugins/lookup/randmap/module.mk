plugin_lookup_randmap_SOURCES = plugins/lookup/randmap/lookup_randmap.c plugins/lookup/wrap.h
plugin_lookup_randmap_TESTS = plugins/lookup/randmap/test_lookup_randmap.c
