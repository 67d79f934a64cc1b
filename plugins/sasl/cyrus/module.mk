# needs: sasl=pkg:libsasl2
plugin_sasl_cyrus_SOURCES = plugins/sasl/cyrus/sasl_cyrus.c plugins/sasl/cyrus/sasl_cyrus.h \
	plugins/sasl/cyrus/sasl_cyrus_client.c plugins/sasl/cyrus/sasl_cyrus_conf.c
plugin_sasl_cyrus_CFLAGS = -I$(top_srcdir)/plugins/sasl/cyrus $(SASL_CFLAGS) -pthread
plugin_sasl_cyrus_LIBS = $(SASL_LIBS) -lpthread
plugin_sasl_cyrus_TESTS = plugins/sasl/cyrus/test_sasl_cyrus.c
