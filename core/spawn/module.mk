spawn_parts = core/spawn/command.c core/spawn/params.h core/spawn/serve.c core/spawn/spawn_priv.h
role_PROGRAMS += spawn
spawn_SOURCES = core/spawn/main.c $(spawn_parts)
spawn_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)
check_PROGRAMS += core/spawn/test_command
core_spawn_test_command_SOURCES = core/spawn/test_command.c core/spawn/command.c
core_spawn_test_command_LDADD = $(HK_FLOOR3_LIBS)
EXTRA_DIST += core/spawn/README.md
