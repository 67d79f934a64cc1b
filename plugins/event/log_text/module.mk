plugin_event_log_text_SOURCES = plugins/event/log_text/event_log_text.c
plugin_event_log_text_CFLAGS = $(GLIB_CFLAGS)
plugin_event_log_text_LIBS = $(GLIB_LIBS)
plugin_event_log_text_TESTS = plugins/event/log_text/test_event_log_text.c
