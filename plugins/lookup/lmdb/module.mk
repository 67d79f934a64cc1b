plugin_lookup_lmdb_SOURCES = plugins/lookup/lmdb/lookup_lmdb.c plugins/lookup/lmdb/lookup_lmdb.h \
	plugins/lookup/lmdb/lookup_lmdb_build.c plugins/lookup/entries.h plugins/lookup/indexed.h
plugin_lookup_lmdb_CFLAGS = $(LMDB_CFLAGS)
plugin_lookup_lmdb_LIBS = $(LMDB_LIBS)
plugin_lookup_lmdb_TESTS = plugins/lookup/lmdb/test_lookup_lmdb.c plugins/lookup/test_indexed.h
# needs: lmdb=lmdb.h:-llmdb
