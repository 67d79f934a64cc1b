libhkconf_la_SOURCES = core/conf/conf.h core/conf/conf_priv.h core/conf/base_params.c \
	core/conf/check.c core/conf/edit.c core/conf/edit_master.c core/conf/expand.c \
	core/conf/interfaces.c \
	core/conf/lines.c core/conf/load.c core/conf/master_cf.c core/conf/postfix_names.c core/conf/postfix_why.c \
	core/conf/settings.c core/conf/spec.c core/conf/table_params.c core/conf/value.c \
	core/conf/words.c
noinst_LTLIBRARIES += libhkconf.la
EXTRA_DIST += core/conf/README.md
hk_conf_tests = core/conf/test_main_cf core/conf/test_expand core/conf/test_master_cf \
	core/conf/test_edit core/conf/test_check
check_PROGRAMS += $(hk_conf_tests)
core_conf_test_main_cf_SOURCES = core/conf/test_main_cf.c
core_conf_test_main_cf_LDADD = libhkconf.la $(HK_BASE_LIBS)
core_conf_test_expand_SOURCES = core/conf/test_expand.c
core_conf_test_expand_LDADD = libhkconf.la $(HK_BASE_LIBS)
core_conf_test_master_cf_SOURCES = core/conf/test_master_cf.c
core_conf_test_master_cf_LDADD = libhkconf.la $(HK_BASE_LIBS)
core_conf_test_edit_SOURCES = core/conf/test_edit.c
core_conf_test_edit_LDADD = libhkconf.la $(HK_BASE_LIBS)
core_conf_test_check_SOURCES = core/conf/test_check.c
core_conf_test_check_LDADD = libhkconf.la $(HK_BASE_LIBS)
