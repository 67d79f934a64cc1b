# tests/fuzz/module.mk: what a fuzzer links besides the rooms; autogen.sh lists the fuzzers.
if FUZZERS
tests_fuzz_fuzz_frames_SOURCES += core/qmgr/test_rig.c core/qmgr/test_rig.h \
	$(HK_QMGR_SOURCES) $(deliver_parts)
tests_fuzz_fuzz_frames_LDADD += libhkrole.la $(HK_FLOOR6_LIBS)
tests_fuzz_fuzz_dialogue_LDFLAGS += -Wl,--wrap=read,--wrap=recv,--wrap=send,--wrap=close \
	-Wl,--wrap=hk_session_command
endif
EXTRA_DIST += tests/fuzz/played_loop.c tests/fuzz/played_sasl.c
