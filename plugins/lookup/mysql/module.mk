plugin_lookup_mysql_SOURCES = plugins/lookup/mysql/lookup_mysql.c \
	plugins/lookup/query_file.c plugins/lookup/query_file.h \
	plugins/lookup/query_pool.c plugins/lookup/query_pool.h
plugin_lookup_mysql_CFLAGS = $(MARIADB_CFLAGS) -DQUERY_FILE_OWNER=lookup_mysql
plugin_lookup_mysql_LIBS = $(MARIADB_LIBS)
plugin_lookup_mysql_TESTS = plugins/lookup/mysql/test_lookup_mysql.c \
	plugins/lookup/test_query_pool.c plugins/lookup/test_query_pool.h
# needs: mariadb=pkg:libmariadb
