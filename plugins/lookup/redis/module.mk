plugin_lookup_redis_SOURCES = plugins/lookup/redis/lookup_redis.c \
	plugins/lookup/redis/lookup_redis.h plugins/lookup/redis/lookup_redis_client.c \
	plugins/lookup/query_file.c plugins/lookup/query_file.h plugins/lookup/remote.h \
	plugins/lookup/remote_clients.h plugins/lookup/remote_server.h
plugin_lookup_redis_CFLAGS = $(HIREDIS_CFLAGS) -DQUERY_FILE_OWNER=lookup_redis -pthread
plugin_lookup_redis_LIBS = $(HIREDIS_LIBS) -lpthread
plugin_lookup_redis_TESTS = plugins/lookup/redis/test_lookup_redis.c plugins/lookup/test_asked.h plugins/lookup/test_server.h
# needs: hiredis=pkg:hiredis
