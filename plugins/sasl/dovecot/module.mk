plugin_sasl_dovecot_SOURCES = plugins/sasl/dovecot/sasl_dovecot.c \
	plugins/sasl/dovecot/sasl_dovecot.h plugins/sasl/dovecot/sasl_dovecot_lines.c \
	plugins/sasl/dovecot/sasl_dovecot_link.c
plugin_sasl_dovecot_CFLAGS = -I$(top_srcdir)/plugins/sasl/dovecot
plugin_sasl_dovecot_TESTS = plugins/sasl/dovecot/test_sasl_dovecot.c
