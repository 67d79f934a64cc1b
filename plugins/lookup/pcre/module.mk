plugin_lookup_pcre_SOURCES = plugins/lookup/pcre/lookup_pcre.c \
	plugins/lookup/pcre/lookup_pcre.h plugins/lookup/pcre/lookup_pcre_match.c \
	plugins/lookup/pcre/lookup_pcre_rules.c plugins/lookup/literals.h \
	plugins/lookup/rules.h plugins/lookup/source.h
plugin_lookup_pcre_CFLAGS = $(PCRE2_CFLAGS)
plugin_lookup_pcre_LIBS = $(PCRE2_LIBS)
plugin_lookup_pcre_TESTS = plugins/lookup/pcre/test_lookup_pcre.c
# needs: pcre2=pkg:libpcre2-8
