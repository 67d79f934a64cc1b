plugin_filter_header_checks_SOURCES = plugins/filter/header_checks/filter_header_checks.c \
	plugins/filter/header_checks/filter_header_checks_actions.c \
	plugins/filter/header_checks/filter_header_checks_mime.c \
	plugins/filter/header_checks/filter_header_checks.h
plugin_filter_header_checks_CFLAGS = -I$(top_srcdir)/plugins/filter/header_checks
plugin_filter_header_checks_TESTS = plugins/filter/header_checks/test_filter_header_checks.c
