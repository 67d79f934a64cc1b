# The room that keeps mail safe.
libhkstore_la_SOURCES = core/store/checkpoint.c core/store/checkpoint_load.c \
	core/store/dirs.c core/store/disk_priv.h core/store/fsck.c core/store/index.c \
	core/store/index_priv.h core/store/io.c core/store/journal.c core/store/journal_priv.h \
	core/store/lane.c core/store/lane_file.c core/store/lane_helper.c \
	core/store/lane_priv.h core/store/lane_writer.c core/store/message.c \
	core/store/move.c core/store/quarantine.c core/store/record.c \
	core/store/record_priv.h core/store/recover.c core/store/recover_files.c \
	core/store/recover_journal.c core/store/recover_priv.h core/store/release.c \
	core/store/scan.c core/store/scan_priv.h core/store/segment.c core/store/states.c \
	core/store/store.c core/store/store.h core/store/store_priv.h core/store/tend.c
noinst_LTLIBRARIES += libhkstore.la
check_PROGRAMS += core/store/test_lane core/store/test_store core/store/test_damage
core_store_test_lane_SOURCES = core/store/test_lane.c core/store/test_store_util.h
core_store_test_lane_LDADD = $(HK_FLOOR2_LIBS)
core_store_test_store_SOURCES = core/store/test_store.c core/store/test_store_util.h
core_store_test_store_LDADD = $(HK_FLOOR2_LIBS)
core_store_test_damage_SOURCES = core/store/test_damage.c core/store/test_store_util.h
core_store_test_damage_LDADD = $(HK_FLOOR2_LIBS)
EXTRA_DIST += core/store/README.md

# Power cuts: the load and the check; tests/powercut/run calls it below the shim.
check_PROGRAMS += core/store/test_powercut
core_store_test_powercut_SOURCES = core/store/test_powercut.c core/store/test_store_util.h
core_store_test_powercut_LDADD = $(HK_FLOOR2_LIBS)
check_LTLIBRARIES += tests/powercut/powercut.la
tests_powercut_powercut_la_SOURCES = tests/powercut/shim.c tests/powercut/shim.h \
	tests/powercut/shim_data.c tests/powercut/shim_names.c
tests_powercut_powercut_la_CPPFLAGS = -U_FORTIFY_SOURCE
tests_powercut_powercut_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
EXTRA_DIST += tests/powercut/replay.py tests/powercut/run tests/powercut/README.md
