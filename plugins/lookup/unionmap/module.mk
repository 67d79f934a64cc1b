plugin_lookup_unionmap_SOURCES = plugins/lookup/unionmap/lookup_unionmap.c plugins/lookup/wrap.h
plugin_lookup_unionmap_TESTS = plugins/lookup/unionmap/test_lookup_unionmap.c
