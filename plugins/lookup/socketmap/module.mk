plugin_lookup_socketmap_SOURCES = plugins/lookup/socketmap/lookup_socketmap.c \
	plugins/lookup/stream.h
plugin_lookup_socketmap_TESTS = plugins/lookup/socketmap/test_lookup_socketmap.c \
	plugins/lookup/stream_test.h
