libhkipc_la_SOURCES = core/ipc/channel.c core/ipc/channel.h core/ipc/frames.h core/ipc/socket.c
noinst_LTLIBRARIES += libhkipc.la
check_PROGRAMS += core/ipc/test_channel
core_ipc_test_channel_SOURCES = core/ipc/test_channel.c
core_ipc_test_channel_LDADD = libhkipc.la libhkloop.la $(HK_BASE_LIBS)
EXTRA_DIST += core/ipc/README.md
