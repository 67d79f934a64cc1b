plugin_lookup_tcp_SOURCES = plugins/lookup/tcp/lookup_tcp.c plugins/lookup/stream.h
plugin_lookup_tcp_TESTS = plugins/lookup/tcp/test_lookup_tcp.c plugins/lookup/stream_test.h
