plugin_lookup_debug_SOURCES = plugins/lookup/debug/lookup_debug.c
plugin_lookup_debug_TESTS = plugins/lookup/debug/test_lookup_debug.c
