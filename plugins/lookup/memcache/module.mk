plugin_lookup_memcache_SOURCES = plugins/lookup/memcache/lookup_memcache.c \
	plugins/lookup/memcache/lookup_memcache.h \
	plugins/lookup/memcache/lookup_memcache_client.c plugins/lookup/query_file.c \
	plugins/lookup/query_file.h plugins/lookup/remote.h plugins/lookup/remote_clients.h \
	plugins/lookup/remote_server.h
plugin_lookup_memcache_CFLAGS = -DQUERY_FILE_OWNER=lookup_memcache -pthread
plugin_lookup_memcache_LIBS = -lpthread
plugin_lookup_memcache_TESTS = plugins/lookup/memcache/test_lookup_memcache.c plugins/lookup/test_asked.h plugins/lookup/test_server.h
