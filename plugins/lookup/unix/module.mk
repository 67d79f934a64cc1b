plugin_lookup_unix_SOURCES = plugins/lookup/unix/lookup_unix.c
plugin_lookup_unix_TESTS = plugins/lookup/unix/test_lookup_unix.c
