plugin_restriction_tls_SOURCES = plugins/restriction/tls/restriction_tls.c
plugin_restriction_tls_TESTS = plugins/restriction/tls/test_restriction_tls.c
