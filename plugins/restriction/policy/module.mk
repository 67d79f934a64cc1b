plugin_restriction_policy_SOURCES = plugins/restriction/policy/restriction_policy.c \
	plugins/restriction/policy/restriction_policy_client.c \
	plugins/restriction/policy/restriction_policy_conf.c \
	plugins/restriction/policy/restriction_policy_reply.c \
	plugins/restriction/policy/restriction_policy.h
plugin_restriction_policy_CFLAGS = -I$(top_srcdir)/plugins/restriction/policy
plugin_restriction_policy_TESTS = plugins/restriction/policy/test_restriction_policy.c
