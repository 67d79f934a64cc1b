plugin_lookup_sqlite_SOURCES = plugins/lookup/sqlite/lookup_sqlite.c \
	plugins/lookup/query_file.c plugins/lookup/query_file.h
plugin_lookup_sqlite_CFLAGS = $(SQLITE_CFLAGS) -DQUERY_FILE_OWNER=lookup_sqlite
plugin_lookup_sqlite_LIBS = $(SQLITE_LIBS)
plugin_lookup_sqlite_TESTS = plugins/lookup/sqlite/test_lookup_sqlite.c \
	plugins/lookup/test_query_file.c plugins/lookup/test_query_file.h
# needs: sqlite=pkg:sqlite3
