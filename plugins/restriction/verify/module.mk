plugin_restriction_verify_SOURCES = plugins/restriction/verify/restriction_verify.c \
	plugins/restriction/words.h
plugin_restriction_verify_TESTS = plugins/restriction/verify/test_restriction_verify.c
