libhknet_la_SOURCES = core/net/address.c core/net/address.h core/net/dns.c core/net/dns.h \
	core/net/dns_conf.c core/net/dns_priv.h core/net/dns_records.c core/net/hosts.c \
	core/net/hosts.h core/net/peer.c core/net/proxy.c core/net/proxy.h core/net/service.c
libhknet_la_CFLAGS = $(AM_CFLAGS) $(UNBOUND_CFLAGS)
noinst_LTLIBRARIES += libhknet.la
check_PROGRAMS += core/net/test_net_address core/net/test_dns
core_net_test_net_address_SOURCES = core/net/test_net_address.c
core_net_test_net_address_LDADD = libhknet.la $(HK_FLOOR1_LIBS) $(UNBOUND_LIBS)
core_net_test_dns_SOURCES = core/net/test_dns.c
core_net_test_dns_LDADD = libhknet.la $(HK_FLOOR1_LIBS) $(UNBOUND_LIBS)
check_PROGRAMS += core/net/test_proxy
core_net_test_proxy_SOURCES = core/net/test_proxy.c
core_net_test_proxy_LDADD = libhknet.la $(HK_FLOOR1_LIBS) $(UNBOUND_LIBS)
EXTRA_DIST += core/net/README.md
