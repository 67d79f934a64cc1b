plugin_lookup_fail_SOURCES = plugins/lookup/fail/lookup_fail.c
plugin_lookup_fail_TESTS = plugins/lookup/fail/test_lookup_fail.c
