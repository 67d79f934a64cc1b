# tests/module.mk: what spans rooms; autogen.sh lists the system tests.
include build-aux/tests.mk
include build-aux/fuzz.mk
include tests/fuzz/module.mk
EXTRA_DIST += build-aux/tests.mk build-aux/fuzz.mk tests/fuzz/README.md tests/fuzz/corpus tests/lib tests/system \
	tests/dialogue tests/bench tests/conformance tests/install
# For measuring only: make tests/bench/lookups
EXTRA_PROGRAMS = tests/bench/lookups
tests_bench_lookups_SOURCES = tests/bench/lookups.c
tests_bench_lookups_LDADD = libhkrole.la $(HK_FLOOR6_LIBS)
