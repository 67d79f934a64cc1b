plugin_transport_virtual_SOURCES = plugins/transport/virtual/transport_virtual.c \
	plugins/transport/virtual/mailbox.c plugins/transport/virtual/mailbox_maildir.c \
	plugins/transport/virtual/mailbox_mbox.c \
	plugins/transport/virtual/mailbox.h
plugin_transport_virtual_TESTS = plugins/transport/virtual/test_transport_virtual.c
