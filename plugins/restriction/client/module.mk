plugin_restriction_client_SOURCES = plugins/restriction/client/restriction_client.c \
	plugins/restriction/table.h plugins/restriction/words.h
plugin_restriction_client_TESTS = plugins/restriction/client/test_restriction_client.c plugins/restriction/test_words.h
