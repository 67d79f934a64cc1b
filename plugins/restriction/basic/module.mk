plugin_restriction_basic_SOURCES = plugins/restriction/basic/restriction_basic.c \
	plugins/restriction/basic/restriction_basic_names.c \
	plugins/restriction/basic/restriction_basic.h
plugin_restriction_basic_CFLAGS = -I$(top_srcdir)/plugins/restriction/basic
plugin_restriction_basic_TESTS = plugins/restriction/basic/test_restriction_basic.c
