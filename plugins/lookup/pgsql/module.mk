plugin_lookup_pgsql_SOURCES = plugins/lookup/pgsql/lookup_pgsql.c \
	plugins/lookup/query_file.c plugins/lookup/query_file.h \
	plugins/lookup/query_pool.c plugins/lookup/query_pool.h
plugin_lookup_pgsql_CFLAGS = $(PQ_CFLAGS) -DQUERY_FILE_OWNER=lookup_pgsql
plugin_lookup_pgsql_LIBS = $(PQ_LIBS)
plugin_lookup_pgsql_TESTS = plugins/lookup/pgsql/test_lookup_pgsql.c \
	plugins/lookup/test_query_pool.c plugins/lookup/test_query_pool.h
# needs: pq=pkg:libpq
