plugin_lookup_static_SOURCES = plugins/lookup/static/lookup_static.c
plugin_lookup_static_TESTS = plugins/lookup/static/test_lookup_static.c
