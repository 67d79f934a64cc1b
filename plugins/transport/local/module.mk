plugin_transport_local_SOURCES = plugins/transport/local/transport_local.c \
	plugins/transport/local/transport_local_deliver.c \
	plugins/transport/local/transport_local_targets.c \
	plugins/transport/local/transport_local_user.c \
	plugins/transport/local/transport_local_priv.h \
	plugins/transport/virtual/mailbox.c plugins/transport/virtual/mailbox_maildir.c \
	plugins/transport/virtual/mailbox_mbox.c
plugin_transport_local_CFLAGS = -DMAILBOX_PREFIX=transport_local
plugin_transport_local_TESTS = plugins/transport/local/test_transport_local.c
