plugin_transport_smtp_SOURCES = plugins/transport/smtp/transport_smtp.c \
	plugins/transport/smtp/transport_smtp_conf.c \
	plugins/transport/smtp/transport_smtp_connection.c \
	plugins/transport/smtp/transport_smtp_content.c \
	plugins/transport/smtp/transport_smtp_delivery.c \
	plugins/transport/smtp/transport_smtp_dialogue.c \
	plugins/transport/smtp/transport_smtp_esmtp.c \
	plugins/transport/smtp/transport_smtp_priv.h \
	plugins/transport/smtp/transport_smtp_reply.c \
	plugins/transport/smtp/transport_smtp_resolve.c \
	plugins/transport/smtp/transport_smtp_session.c \
	plugins/transport/smtp/transport_smtp_site.c
plugin_transport_smtp_TESTS = plugins/transport/smtp/test_transport_smtp.c
