plugin_lookup_ldap_SOURCES = plugins/lookup/ldap/lookup_ldap.c plugins/lookup/ldap/lookup_ldap.h \
	plugins/lookup/ldap/lookup_ldap_client.c plugins/lookup/ldap/lookup_ldap_conf.c \
	plugins/lookup/ldap/lookup_ldap_quote.c plugins/lookup/ldap/lookup_ldap_search.c \
	plugins/lookup/ldap/lookup_ldap_values.c plugins/lookup/query_file.c \
	plugins/lookup/query_file.h plugins/lookup/remote.h plugins/lookup/remote_clients.h \
	plugins/lookup/remote_server.h
plugin_lookup_ldap_CFLAGS = $(LDAP_CFLAGS) -DQUERY_FILE_OWNER=lookup_ldap -pthread
plugin_lookup_ldap_LIBS = $(LDAP_LIBS) -lpthread
plugin_lookup_ldap_TESTS = plugins/lookup/ldap/test_lookup_ldap.c plugins/lookup/test_asked.h plugins/lookup/test_server.h
# needs: ldap=pkg:ldap
