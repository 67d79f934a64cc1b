plugin_lookup_pipemap_SOURCES = plugins/lookup/pipemap/lookup_pipemap.c plugins/lookup/wrap.h
plugin_lookup_pipemap_TESTS = plugins/lookup/pipemap/test_lookup_pipemap.c
