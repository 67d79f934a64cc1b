plugin_restriction_basic_SOURCES = plugins/restriction/basic/restriction_basic.c \
	plugins/restriction/words.h
plugin_restriction_basic_TESTS = plugins/restriction/basic/test_restriction_basic.c plugins/restriction/test_words.h
