plugin_lookup_texthash_SOURCES = plugins/lookup/texthash/lookup_texthash.c \
	plugins/lookup/pairs.h plugins/lookup/source.h
plugin_lookup_texthash_TESTS = plugins/lookup/texthash/test_lookup_texthash.c
