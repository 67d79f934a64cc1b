plugin_restriction_helo_SOURCES = plugins/restriction/helo/restriction_helo.c \
	plugins/restriction/table.h plugins/restriction/words.h plugins/restriction/names.h
plugin_restriction_helo_TESTS = plugins/restriction/helo/test_restriction_helo.c plugins/restriction/test_words.h
