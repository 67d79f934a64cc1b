/* test_tls.c: names become GnuTLS's words; files are taken apart; ticket keys are shared.
 */
#include "config.h"

#include "tls/parent.h"
#include "tls/tls_priv.h"

#include <unistd.h>

/* ---- protocols ---- */

static void
test_protocols (void)
{
    static const struct {
        const char *text;
        unsigned mask; /* 0: refused */
    } cases[] = {
        {"", HK_TLS_ALL},
        {">=TLSv1", HK_TLS_ALL},
        {">=TLSv1.2", HK_TLS_V12 | HK_TLS_V13},
        {"<=TLSv1.2", HK_TLS_V10 | HK_TLS_V11 | HK_TLS_V12},
        {">=0303, <=0303", HK_TLS_V12},
        {"!SSLv2, !SSLv3", HK_TLS_ALL},
        {"!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", HK_TLS_V12 | HK_TLS_V13},
        {"TLSv1.2", HK_TLS_V12},
        {"TLSv1.2 TLSv1.3", HK_TLS_V12 | HK_TLS_V13},
        {"TLSv1.2:TLSv1.3, !TLSv1.3", HK_TLS_V12},
        {"tlsv1.3", HK_TLS_V13},
        {">=0305", 16}, /* nothing that we know; not a mistake */
        {"TLSv2", 0},
        {"!", 0},
        {">=", 0},
        {"all", 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        unsigned mask = 99;
        g_test_message ("%s", cases[i].text);
        bool ok = hk_tls_protocols_parse (cases[i].text, &mask, &error);
        g_assert_cmpint (ok, ==, cases[i].mask != 0);
        if (ok)
            g_assert_cmpuint (mask, ==, cases[i].mask & HK_TLS_ALL);
        else
            g_assert_error (error, HK_TLS_ERROR, HK_TLS_ERROR_CONFIG);
    }
}

/* ---- cipher lists ---- */

static char *
names_of (const char *list, char **out_unknown)
{
    HkTlsSuiteList out;
    GString *text = g_string_new (NULL);
    hk_tls_suites_parse (list, &out, out_unknown);
    for (size_t i = 0; i < out.n; i++)
        g_string_append_printf (text, "%s%s", i > 0 ? ":" : "",
                                hk_tls_suites[out.list[i]].name);
    return g_string_free (text, FALSE);
}

static void
test_lists (void)
{
    static const struct {
        const char *list, *names, *unknown;
    } cases[] = {
        {"", "", NULL},
        {"AECDH", "AECDH-AES256-SHA:AECDH-AES128-SHA:AECDH-NULL-SHA", NULL},
        {"AECDH:!eNULL", "AECDH-AES256-SHA:AECDH-AES128-SHA", NULL},
        {"AECDH+AES128", "AECDH-AES128-SHA", NULL},
        {"AECDH:!eNULL:+AES256", "AECDH-AES128-SHA:AECDH-AES256-SHA", NULL},
        {"AECDH+AES128:AECDH+AES256:@STRENGTH", "AECDH-AES256-SHA:AECDH-AES128-SHA", NULL},
        /* taken out, it may come back; struck out, it may not */
        {"AECDH:-AECDH:AECDH+AES256", "AECDH-AES256-SHA", NULL},
        {"AECDH:!AECDH:AECDH+AES256", "", NULL},
        {"aNULL:-aNULL:AECDH+AES128:ECDHE-RSA-AES256-SHA",
         "AECDH-AES128-SHA:ECDHE-RSA-AES256-SHA", NULL},
        {"ECDHE-RSA-AES256-SHA, AES256-SHA;AES128-SHA",
         "ECDHE-RSA-AES256-SHA:AES256-SHA:AES128-SHA", NULL},
        {"RC4:3DES:EXPORT:kECDHr", "", NULL},
        {"ECDHE-RSA-AES256-SHA:FROBNICATE", "ECDHE-RSA-AES256-SHA", "FROBNICATE"},
        {"!+", "", "!+"},
        {"NULL-MD5:@SECLEVEL=0", "NULL-MD5", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree char *unknown = NULL;
        g_autofree char *names = names_of (cases[i].list, &unknown);
        g_test_message ("%s", cases[i].list);
        g_assert_cmpstr (names, ==, cases[i].names);
        g_assert_cmpstr (unknown, ==, cases[i].unknown);
    }
}

/* ---- priorities ---- */

/* The suites that GnuTLS would use with a priority string, by their numbers. */
static GHashTable *
offered (const char *priority)
{
    gnutls_priority_t p;
    GHashTable *out = g_hash_table_new (NULL, NULL);
    g_assert_cmpint (gnutls_priority_init (&p, priority, NULL), ==, 0);
    unsigned place;
    for (unsigned i = 0;; i++) {
        int code = gnutls_priority_get_cipher_suite_index (p, i, &place);
        if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        unsigned char id[2];
        gnutls_kx_algorithm_t kx;
        gnutls_cipher_algorithm_t cipher;
        gnutls_mac_algorithm_t mac;
        gnutls_protocol_t version;
        if (code == 0 && gnutls_cipher_suite_info (place, id, &kx, &cipher, &mac, &version))
            g_hash_table_add (out, GUINT_TO_POINTER ((unsigned) id[0] << 8 | id[1]));
    }
    gnutls_priority_deinit (p);
    return out;
}

static HkTlsWish
plain_wish (void)
{
    return (HkTlsWish){.protocols = ">=TLSv1",
                       .ciphers = "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH",
                       .curves = "X25519 X448 prime256v1 secp521r1 secp384r1",
                       .has_certificate = true,
                       .has_dh = true};
}

/* Every list that is a grid is offered to the last suite, and nothing else. */
static void
test_grids (void)
{
    static const char *const lists[] = {"aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH",
                                        "HIGH",
                                        "HIGH:!kRSA",
                                        "ECDHE+AESGCM",
                                        "ECDHE+AESGCM:ECDHE+CHACHA20",
                                        "AES256-SHA",
                                        "HIGH:!SHA1:!SHA256:!SHA384",
                                        "HIGH:!CAMELLIA:!AESCCM:!AESCCM8:!DHE"};
    for (size_t i = 0; i < G_N_ELEMENTS (lists); i++) {
        g_autoptr (GError) error = NULL;
        g_autofree char *note = NULL;
        HkTlsWish wish = plain_wish ();
        wish.ciphers = lists[i];
        wish.protocols = "<=TLSv1.2";
        g_autofree char *priority = hk_tls_priority (&wish, &note, &error);
        g_test_message ("%s: %s", lists[i], priority);
        g_assert_no_error (error);
        g_assert_null (note);
        g_autoptr (GHashTable) set = offered (priority);
        HkTlsSuiteList list;
        unsigned n = 0;
        hk_tls_suites_parse (lists[i], &list, NULL);
        for (size_t k = 0; k < list.n; k++) {
            const HkTlsSuite *s = &hk_tls_suites[list.list[k]];
            if (hk_tls_kx_is_anonymous (s->kx))
                continue;
            g_test_message ("%s", s->name);
            g_assert_true (
                g_hash_table_contains (set, GUINT_TO_POINTER ((unsigned) s->code)));
            n++;
        }
        /* GnuTLS has a few more of Camellia, which OpenSSL lacks: those with GCM. */
        g_assert_cmpuint (g_hash_table_size (set), ==, n);
    }
}

/* A list with holes: fewer are offered, and it is said which are missing; never more. */
static void
test_holes (void)
{
    static const char mozilla[] =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
        "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384";
    static const char *const lists[] = {mozilla, "HIGH:!ECDHE-RSA-AES256-SHA",
                                        "ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA",
                                        "HIGH:!AES256-GCM-SHA384:!DHE-RSA-CAMELLIA128-SHA"};
    for (size_t i = 0; i < G_N_ELEMENTS (lists); i++) {
        g_autoptr (GError) error = NULL;
        g_autofree char *note = NULL;
        HkTlsWish wish = plain_wish ();
        wish.ciphers = lists[i];
        wish.protocols = "TLSv1.2";
        g_autofree char *priority = hk_tls_priority (&wish, &note, &error);
        g_test_message ("%s: %s (%s)", lists[i], priority, note);
        g_assert_no_error (error);
        g_assert_nonnull (note);
        g_autoptr (GHashTable) set = offered (priority);
        g_assert_cmpuint (g_hash_table_size (set), >, 0);
        HkTlsSuiteList list;
        hk_tls_suites_parse (lists[i], &list, NULL);
        for (size_t k = 0; k < list.n; k++)
            g_hash_table_remove (
                set, GUINT_TO_POINTER ((unsigned) hk_tls_suites[list.list[k]].code));
        g_assert_cmpuint (g_hash_table_size (set), ==, 0);
    }
    HkTlsWish wish = plain_wish ();
    wish.ciphers = mozilla;
    g_autofree char *note = NULL;
    g_autofree char *priority = hk_tls_priority (&wish, &note, NULL);
    g_assert_nonnull (priority);
    g_assert_cmpstr (note, ==,
                     "not offered, because GnuTLS could not leave out its neighbours: "
                     "DHE-RSA-AES128-GCM-SHA256 DHE-RSA-AES256-GCM-SHA384");
}

static void
test_priorities (void)
{
    static const struct {
        const char *what;
        HkTlsWish wish;
        const char *has, *lacks;
    } cases[] = {
        {"TLSv1.3 alone",
         {.protocols = "TLSv1.3", .ciphers = "HIGH", .has_certificate = true},
         ":+VERS-TLS1.3:",
         "VERS-TLS1.2"},
        {"its ciphers are there though the list has none of them",
         {.protocols = ">=TLSv1.2", .ciphers = "AES256-SHA", .has_certificate = true},
         ":+AES-128-GCM",
         "ECDHE"},
        {"its ciphers follow the list",
         {.protocols = ">=TLSv1.2",
          .ciphers = "AES256+AESGCM",
          .has_certificate = true,
          .curves = "X25519"},
         ":+AES-256-GCM",
         "AES-128-GCM"},
        {"no certificate: anonymous, and no TLSv1.3",
         {.protocols = ">=TLSv1", .ciphers = "HIGH", .curves = "X25519", .has_dh = true},
         ":+ANON-DH:+ANON-ECDH",
         "TLS1.3"},
        {"a certificate: not anonymous",
         {.protocols = ">=TLSv1",
          .ciphers = "HIGH",
          .has_certificate = true,
          .curves = "X25519"},
         ":+ECDHE-RSA",
         "ANON"},
        {"words to leave out",
         {.protocols = "TLSv1.2",
          .ciphers = "HIGH",
          .exclude = {"kRSA, SHA1", "CAMELLIA"},
          .has_certificate = true,
          .curves = "X25519"},
         ":+SHA256",
         ":+SHA1"},
        {"the server's order",
         {.protocols = "TLSv1.2",
          .ciphers = "HIGH",
          .has_certificate = true,
          .curves = "X25519",
          .is_server_order = true},
         "%SERVER_PRECEDENCE",
         "GROUP-SECP"},
        {"curves in their order",
         {.protocols = "TLSv1.2",
          .ciphers = "HIGH",
          .has_certificate = true,
          .curves = "P-384, secp256k1 X25519"},
         ":+GROUP-SECP384R1:+GROUP-X25519",
         "256"
         "K1"},
        {"without ECDHE",
         {.protocols = "TLSv1.2",
          .ciphers = "HIGH",
          .has_certificate = true,
          .has_dh = true},
         ":+DHE-RSA",
         "ECDHE"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        gnutls_priority_t p;
        g_autofree char *text = hk_tls_priority (&cases[i].wish, NULL, &error);
        g_test_message ("%s: %s", cases[i].what, text);
        g_assert_no_error (error);
        g_assert_nonnull (strstr (text, cases[i].has));
        g_assert_null (strstr (text, cases[i].lacks));
        g_assert_cmpint (gnutls_priority_init (&p, text, NULL), ==, 0);
        gnutls_priority_deinit (p);
    }
}

static void
test_nothing_left (void)
{
    static const HkTlsWish wishes[] = {
        {.protocols = "SSLv3", .ciphers = "HIGH", .has_certificate = true, .has_dh = true},
        {.protocols = "<=TLSv1.2",
         .ciphers = "RC4",
         .has_certificate = true,
         .has_dh = true},
        {.protocols = ">=TLSv1.3", .ciphers = "HIGH", .has_dh = true},
        {.protocols = "TLSv9", .ciphers = "HIGH", .has_certificate = true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (wishes); i++) {
        g_autoptr (GError) error = NULL;
        g_assert_null (hk_tls_priority (&wishes[i], NULL, &error));
        g_assert_error (error, HK_TLS_ERROR, HK_TLS_ERROR_CONFIG);
    }
}

/* ---- files ---- */

#define KEY(x) "-----BEGIN PRIVATE KEY-----\n" x "\n-----END PRIVATE KEY-----\n"
#define CRT(x) "-----BEGIN CERTIFICATE-----\n" x "\n-----END CERTIFICATE-----\n"

static void
test_pem (void)
{
    static const struct {
        const char *text;
        unsigned n; /* 0: refused */
        const char *chain;
    } cases[] = {
        {KEY ("a") CRT ("b"), 1, CRT ("b")},
        {"text\n" KEY ("a") CRT ("b") "more\n" CRT ("c"), 1, CRT ("b") CRT ("c")},
        {KEY ("a") CRT ("b") KEY ("c") CRT ("d"), 2, CRT ("b")},
        {"-----BEGIN EC PARAMETERS-----\nx\n-----END EC PARAMETERS-----\n" KEY ("a")
             CRT ("b"),
         1, CRT ("b")},
        {"", 0, NULL},
        {CRT ("b"), 0, NULL},
        {CRT ("b") KEY ("a"), 0, NULL},
        {KEY ("a"), 0, NULL},
        {KEY ("a") KEY ("b") CRT ("c"), 0, NULL},
        {"-----BEGIN PRIVATE KEY-----\nabc", 0, NULL},
        {"-----BEGIN ", 0, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        g_autoptr (GPtrArray) parts =
            hk_tls_pem_split (hk_span_text (cases[i].text), "file", &error);
        g_test_message ("case %zu", i);
        g_assert_cmpint (parts != NULL, ==, cases[i].n > 0);
        if (parts == NULL) {
            g_assert_error (error, HK_TLS_ERROR, HK_TLS_ERROR_FILE);
            continue;
        }
        g_assert_cmpuint (parts->len, ==, cases[i].n);
        g_assert_cmpstr (((HkTlsPem *) g_ptr_array_index (parts, 0))->chain->str, ==,
                         cases[i].chain);
    }
}

static void
ticket_key (HkTlsTickets *tickets, const char *service, uint8_t out[HK_TLS_TICKET_KEY])
{
    HkTlsTicketKey kept = {.made_s = 0};
    memcpy (out, hk_tls_tickets_key (tickets, service, &kept), HK_TLS_TICKET_KEY);
    /* what is kept is it again */
    g_assert_cmpmem (hk_tls_tickets_key (tickets, service, &kept), HK_TLS_TICKET_KEY, out,
                     HK_TLS_TICKET_KEY);
}

static void
test_tickets (void)
{
    uint8_t a[HK_TLS_TICKET_KEY], b[HK_TLS_TICKET_KEY], other[HK_TLS_TICKET_KEY];
    int fd = hk_tls_parent_memory ();
    g_assert_cmpint (fd, >=, 0);
    g_autoptr (HkTlsTickets) one = hk_tls_tickets_new (dup (fd));
    g_autoptr (HkTlsTickets) two = hk_tls_tickets_new (fd);
    g_autoptr (HkTlsTickets) alone = hk_tls_tickets_new (-1);
    ticket_key (one, "smtp", a);
    ticket_key (two, "smtp", b);
    g_assert_cmpmem (a, sizeof a, b, sizeof b);
    ticket_key (two, "submission", other);
    g_assert_cmpint (memcmp (a, other, sizeof a), !=, 0);
    ticket_key (alone, "smtp", other);
    g_assert_cmpint (memcmp (a, other, sizeof a), !=, 0);
    ticket_key (one, "smtp", b);
    g_assert_cmpmem (a, sizeof a, b, sizeof b);
}

/* Memory of another kind, that could be cut short under our feet, is not used. */
static void
test_bad_memory (void)
{
    uint8_t key[HK_TLS_TICKET_KEY];
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp ("hk-tickets-XXXXXX", &path, NULL);
    g_assert_cmpint (ftruncate (fd, 4096), ==, 0);
    g_autoptr (HkTlsTickets) self = hk_tls_tickets_new (fd);
    ticket_key (self, "smtp", key);
    unlink (path);
}

static void
test_names (void)
{
    g_assert_true (hk_tls_name_is_valid (HK_SPAN ("mx.example.org")));
    g_assert_true (hk_tls_name_is_valid (HK_SPAN ("_x.Example-1.org")));
    g_assert_false (hk_tls_name_is_valid (HK_SPAN ("")));
    g_assert_false (hk_tls_name_is_valid (HK_SPAN (".org")));
    g_assert_false (hk_tls_name_is_valid (HK_SPAN ("a..b")));
    g_assert_false (hk_tls_name_is_valid (HK_SPAN ("a.b.")));
    g_assert_false (hk_tls_name_is_valid (HK_SPAN ("a/../b")));
    g_assert_false (hk_tls_name_is_valid (HK_SPAN ("a b")));
}

/* The table of doc/tls.md. */
static void
print_suites (void)
{
    for (size_t i = 0; i < hk_tls_n_suites; i++) {
        const HkTlsSuite *s = &hk_tls_suites[i];
        g_print ("| `%s` | `%s` | `%s` | `%s` |\n", s->name, hk_tls_kx_word (s->kx),
                 hk_tls_enc_word (s->enc), hk_tls_mac_word (s->mac));
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    /* The test prints a list in OpenSSL's names, for comparison with the openssl program.
     */
    if (argc == 3 && strcmp (argv[1], "list") == 0) {
        g_autofree char *names = names_of (argv[2], NULL);
        g_print ("%s\n", names);
        return 0;
    }
    if (argc == 2 && strcmp (argv[1], "suites") == 0) {
        print_suites ();
        return 0;
    }
    g_test_add_func ("/tls/protocols", test_protocols);
    g_test_add_func ("/tls/lists", test_lists);
    g_test_add_func ("/tls/grids", test_grids);
    g_test_add_func ("/tls/holes", test_holes);
    g_test_add_func ("/tls/priorities", test_priorities);
    g_test_add_func ("/tls/nothing-left", test_nothing_left);
    g_test_add_func ("/tls/pem", test_pem);
    g_test_add_func ("/tls/tickets", test_tickets);
    g_test_add_func ("/tls/bad-memory", test_bad_memory);
    g_test_add_func ("/tls/names", test_names);
    return g_test_run ();
}
