plugin_lookup_cdb_SOURCES = plugins/lookup/cdb/lookup_cdb.c plugins/lookup/cdb/lookup_cdb.h \
	plugins/lookup/cdb/lookup_cdb_build.c plugins/lookup/entries.h plugins/lookup/indexed.h
plugin_lookup_cdb_CFLAGS = $(CDB_CFLAGS)
plugin_lookup_cdb_LIBS = $(CDB_LIBS)
plugin_lookup_cdb_TESTS = plugins/lookup/cdb/test_lookup_cdb.c plugins/lookup/test_indexed.h
# needs: cdb=cdb.h:-lcdb
