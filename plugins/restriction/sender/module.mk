plugin_restriction_sender_SOURCES = plugins/restriction/sender/restriction_sender.c \
	plugins/restriction/table.h plugins/restriction/words.h plugins/restriction/address.h plugins/restriction/names.h
plugin_restriction_sender_TESTS = plugins/restriction/sender/test_restriction_sender.c plugins/restriction/test_words.h
