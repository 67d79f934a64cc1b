plugin_lookup_environ_SOURCES = plugins/lookup/environ/lookup_environ.c
plugin_lookup_environ_TESTS = plugins/lookup/environ/test_lookup_environ.c
