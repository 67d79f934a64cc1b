/* table_params.c: parameters that main.cf may hold for a table: "accounts_hosts" of
 * "mysql:accounts" (ldap_table(5), mysql_table(5) and so on, the old form). */
#include "config.h"

#include "conf/conf_priv.h"

#define SQL                                                                                \
    " additional_conditions domain expansion_limit query result_format select_field table" \
    " where_field "

static const struct {
    const char *type, *names; /* each name between blanks */
} tables[] = {
    {"ldap",
     " bind bind_dn bind_pw cache cache_expiry cache_size chase_referrals debuglevel"
     " dereference domain expansion_limit leaf_result_attribute query_filter"
     " recursion_limit result_attribute result_filter result_format sasl_authz_id"
     " sasl_mechs sasl_minssf sasl_realm scope search_base server_host server_port"
     " size_limit special_result_attribute start_tls terminal_result_attribute timeout"
     " tls_ca_cert_dir tls_ca_cert_file tls_cert tls_cipher_suite tls_key tls_random_file"
     " tls_require_cert version "},
    {"mysql", SQL "dbname hosts option_file option_group password require_result_set"
                  " tls_CAfile tls_CApath tls_cert_file tls_ciphers tls_key_file"
                  " tls_verify_cert user "},
    {"pgsql", SQL "dbname hosts password select_function user "},
    {"sqlite", SQL "dbpath "},
    {"memcache", " backup data_size_limit domain flags key_format line_size_limit max_try"
                 " memcache retry_pause timeout ttl "},
};

static bool
has_word (const char *words, const char *word)
{
    g_autofree char *apart = g_strdup_printf (" %s ", word);
    return strstr (words, apart) != NULL;
}

void
hk_conf_gather_tables (HkSpan text, GHashTable *tables_used)
{
    g_autofree char *copy = hk_span_dup (text);
    g_auto (GStrv) words = g_strsplit_set (copy, " \t\r\n\v\f,{}", -1);
    for (size_t i = 0; words[i] != NULL; i++) {
        const char *word = words[i];
        if (g_str_has_prefix (word, "proxy:"))
            word += strlen ("proxy:");
        const char *colon = strchr (word, ':');
        if (colon != NULL && colon[1] != '/' && colon[1] != '.')
            g_hash_table_add (tables_used, g_strdup (word));
    }
}

bool
hk_conf_is_table_param (const char *name, GHashTable *tables_used)
{
    for (const char *p = strchr (name, '_'); p != NULL; p = strchr (p + 1, '_'))
        for (size_t i = 0; i < G_N_ELEMENTS (tables); i++) {
            g_autofree char *table =
                g_strdup_printf ("%s:%.*s", tables[i].type, (int) (p - name), name);
            if (has_word (tables[i].names, p + 1) &&
                g_hash_table_contains (tables_used, table))
                return true;
        }
    return false;
}
