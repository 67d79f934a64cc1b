# Oniguruma's headers only: the library is loaded by name, see lookup_regexp.h.
plugin_lookup_regexp_SOURCES = plugins/lookup/regexp/lookup_regexp.c \
	plugins/lookup/regexp/lookup_regexp.h plugins/lookup/regexp/lookup_regexp_onig.c \
	plugins/lookup/regexp/lookup_regexp_rules.c plugins/lookup/rules.h plugins/lookup/source.h
plugin_lookup_regexp_CFLAGS = $(ONIG_CFLAGS)
plugin_lookup_regexp_LIBS =
plugin_lookup_regexp_TESTS = plugins/lookup/regexp/test_lookup_regexp.c
# needs: onig=pkg:oniguruma
