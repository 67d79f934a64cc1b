plugin_restriction_recipient_SOURCES = plugins/restriction/recipient/restriction_recipient.c \
	plugins/restriction/table.h plugins/restriction/words.h plugins/restriction/address.h plugins/restriction/names.h
plugin_restriction_recipient_TESTS = plugins/restriction/recipient/test_restriction_recipient.c plugins/restriction/test_words.h
