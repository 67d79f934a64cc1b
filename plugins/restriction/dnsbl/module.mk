plugin_restriction_dnsbl_SOURCES = plugins/restriction/dnsbl/restriction_dnsbl.c \
	plugins/restriction/dnsbl/restriction_dnsbl_list.c \
	plugins/restriction/dnsbl/restriction_dnsbl_reply.c \
	plugins/restriction/dnsbl/restriction_dnsbl.h
plugin_restriction_dnsbl_CFLAGS = -I$(top_srcdir)/plugins/restriction/dnsbl
plugin_restriction_dnsbl_TESTS = plugins/restriction/dnsbl/test_restriction_dnsbl.c
