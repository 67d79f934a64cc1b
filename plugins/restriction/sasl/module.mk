plugin_restriction_sasl_SOURCES = plugins/restriction/sasl/restriction_sasl.c \
	plugins/restriction/table.h plugins/restriction/words.h
plugin_restriction_sasl_TESTS = plugins/restriction/sasl/test_restriction_sasl.c
