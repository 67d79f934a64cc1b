plugin_lookup_inline_SOURCES = plugins/lookup/inline/lookup_inline.c plugins/lookup/pairs.h
plugin_lookup_inline_TESTS = plugins/lookup/inline/test_lookup_inline.c
