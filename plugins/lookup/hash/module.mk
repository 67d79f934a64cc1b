plugin_lookup_hash_SOURCES = plugins/lookup/hash/lookup_hash.c plugins/lookup/hash/lookup_hash.h \
	plugins/lookup/hash/lookup_hash_build.c plugins/lookup/hash/lookup_hash_walk.c \
	plugins/lookup/entries.h plugins/lookup/indexed.h
plugin_lookup_hash_CFLAGS = $(GDBM_CFLAGS)
plugin_lookup_hash_LIBS = $(GDBM_LIBS)
plugin_lookup_hash_TESTS = plugins/lookup/hash/test_lookup_hash.c plugins/lookup/test_indexed.h
# needs: gdbm=gdbm.h:-lgdbm
