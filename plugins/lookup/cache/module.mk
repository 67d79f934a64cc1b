plugin_lookup_cache_SOURCES = plugins/lookup/cache/lookup_cache.c plugins/lookup/wrap.h
plugin_lookup_cache_TESTS = plugins/lookup/cache/test_lookup_cache.c
