role_PROGRAMS += master
master_SOURCES = core/master/main.c core/master/children.c core/master/listeners.c \
	core/master/master.c core/master/master.h core/master/master_priv.h
master_CPPFLAGS = $(AM_CPPFLAGS)
master_LDADD = libhkrole.la $(HK_FLOOR6_LIBS) $(SYSTEMD_LIBS)
EXTRA_DIST += core/master/README.md
