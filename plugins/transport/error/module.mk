plugin_transport_error_SOURCES = plugins/transport/error/transport_error.c
