# needs: unbound=unbound.h:-lunbound
plugin_restriction_dns_SOURCES = plugins/restriction/dns/restriction_dns.c \
	plugins/restriction/dns/restriction_dns_ask.c \
	plugins/restriction/dns/restriction_dns_backup.c \
	plugins/restriction/dns/restriction_dns_servers.c \
	plugins/restriction/dns/restriction_dns.h plugins/restriction/names.h \
	plugins/restriction/table.h plugins/restriction/words.h
plugin_restriction_dns_CFLAGS = -I$(top_srcdir)/plugins/restriction/dns $(UNBOUND_CFLAGS)
plugin_restriction_dns_LIBS = $(UNBOUND_LIBS)
plugin_restriction_dns_TESTS = plugins/restriction/dns/test_restriction_dns.c plugins/restriction/test_words.h
