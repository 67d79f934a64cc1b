plugin_lookup_cidr_SOURCES = plugins/lookup/cidr/lookup_cidr.c plugins/lookup/source.h
plugin_lookup_cidr_TESTS = plugins/lookup/cidr/test_lookup_cidr.c
