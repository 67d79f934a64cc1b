# tests/module.mk: what spans rooms; autogen.sh lists the system tests.
include build-aux/tests.mk
include build-aux/fuzz.mk
include tests/fuzz/module.mk
EXTRA_DIST += build-aux/tests.mk build-aux/fuzz.mk tests/fuzz/README.md tests/lib tests/system \
	tests/dialogue tests/bench tests/conformance tests/install
