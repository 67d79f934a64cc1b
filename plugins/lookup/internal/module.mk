plugin_lookup_internal_SOURCES = plugins/lookup/internal/lookup_internal.c
plugin_lookup_internal_TESTS = plugins/lookup/internal/test_lookup_internal.c
