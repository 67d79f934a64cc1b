plugin_event_log_json_SOURCES = plugins/event/log_json/event_log_json.c
plugin_event_log_json_CFLAGS = $(GLIB_CFLAGS)
plugin_event_log_json_LIBS = $(GLIB_LIBS)
plugin_event_log_json_TESTS = plugins/event/log_json/test_event_log_json.c
