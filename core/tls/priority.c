/* priority.c: GnuTLS's priority strings from Postfix's protocol lists, OpenSSL's cipher
 * lists and the names of curves. */
#include "config.h"

#include "base/text.h"
#include "tls/tls_priv.h"

G_DEFINE_QUARK (hk - tls - error - quark, hk_tls_error)

/* ---- protocols --------------------------------------------------------------------------
 */

static const struct {
    const char *name, *word;
    unsigned number; /* as it stands in a ClientHello */
} protocols[] = {
    /* The first two are known, and gone. */
    {"SSLv2", NULL, 0x0002},
    {"SSLv3", NULL, 0x0300},
    {"TLSv1", "VERS-TLS1.0", 0x0301},
    {"TLSv1.1", "VERS-TLS1.1", 0x0302},
    {"TLSv1.2", "VERS-TLS1.2", 0x0303},
    {"TLSv1.3", "VERS-TLS1.3", 0x0304},
};
enum { FIRST_TLS = 2, N_PROTOCOLS = G_N_ELEMENTS (protocols) };

static bool
parse_hex (HkSpan word, unsigned *out)
{
    unsigned value = 0;
    if (word.size != 4)
        return false;
    for (size_t i = 0; i < word.size; i++) {
        int digit = g_ascii_xdigit_value ((char) word.data[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned) digit;
    }
    *out = value;
    return true;
}

/* By name, or by number in hexadecimal: then it may be one that nobody knows. */
static bool
find_protocol (HkSpan word, unsigned *out_number)
{
    for (size_t i = 0; i < N_PROTOCOLS; i++)
        if (hk_span_is_ci (word, protocols[i].name)) {
            *out_number = protocols[i].number;
            return true;
        }
    return parse_hex (word, out_number);
}

typedef struct {
    unsigned include, exclude; /* HK_TLS_V* */
    unsigned least, most;      /* numbers; 0: no bound */
} Bounds;

static bool
take_protocol (HkSpan word, Bounds *bounds)
{
    unsigned number, bit = 0;
    bool is_least = hk_span_starts_ci (word, HK_SPAN (">="));
    bool is_most = hk_span_starts_ci (word, HK_SPAN ("<="));
    bool is_not = word.size > 0 && word.data[0] == '!';
    if (!find_protocol (hk_span_sub (word, is_least || is_most ? 2 : is_not, word.size),
                        &number))
        return false;
    for (size_t i = FIRST_TLS; i < N_PROTOCOLS; i++)
        if (protocols[i].number == number)
            bit = 1u << (i - FIRST_TLS);
    if (is_least)
        bounds->least = number;
    else if (is_most)
        bounds->most = number;
    else if (is_not)
        bounds->exclude |= bit;
    else
        bounds->include |= bit | 1u << 31; /* something is named, even if it is SSLv3 */
    return true;
}

bool
hk_tls_protocols_parse (const char *text, unsigned *out, GError **error)
{
    Bounds bounds = {.include = 0};
    const char *at = text;
    while (*at != '\0') {
        size_t size = strcspn (at, ", \t\r\n:");
        if (size > 0 && !take_protocol (hk_span (at, size), &bounds)) {
            g_set_error (error, HK_TLS_ERROR, HK_TLS_ERROR_CONFIG,
                         "\"%s\": there is no protocol \"%.*s\"", text, (int) size, at);
            return false;
        }
        at += size;
        at += *at != '\0';
    }
    unsigned mask = bounds.include != 0 ? bounds.include & HK_TLS_ALL : HK_TLS_ALL;
    mask &= ~bounds.exclude;
    for (size_t i = FIRST_TLS; i < N_PROTOCOLS; i++)
        if (protocols[i].number < bounds.least ||
            (bounds.most != 0 && protocols[i].number > bounds.most))
            mask &= ~(1u << (i - FIRST_TLS));
    *out = mask;
    return true;
}

static void
append_protocols (GString *out, unsigned mask)
{
    for (size_t i = N_PROTOCOLS; i-- > FIRST_TLS;)
        if (mask & 1u << (i - FIRST_TLS))
            g_string_append_printf (out, ":+%s", protocols[i].word);
}

/* ---- curves
 * ------------------------------------------------------------------------------ */

static const struct {
    const char *name, *group;
} curves[] = {
    {"X25519", "GROUP-X25519"},        {"X448", "GROUP-X448"},
    {"prime256v1", "GROUP-SECP256R1"}, {"secp256r1", "GROUP-SECP256R1"},
    {"P-256", "GROUP-SECP256R1"},      {"secp384r1", "GROUP-SECP384R1"},
    {"P-384", "GROUP-SECP384R1"},      {"secp521r1", "GROUP-SECP521R1"},
    {"P-521", "GROUP-SECP521R1"},
};

/* Those that GnuTLS lacks are left out, as Postfix does with those that its library lacks.
 */
static void
append_groups (GString *out, const HkTlsWish *wish)
{
    HkSpan rest = hk_span_text (wish->curves), word;
    while (hk_text_next_word (&rest, &word))
        for (size_t i = 0; i < G_N_ELEMENTS (curves); i++)
            if (hk_span_is_ci (word, curves[i].name))
                g_string_append_printf (out, ":+%s", curves[i].group);
    if (wish->has_dh)
        g_string_append (out, ":+GROUP-FFDHE2048:+GROUP-FFDHE3072:+GROUP-FFDHE4096");
}

/* ---- suites to a grid of key exchange, cipher and MAC
 * ------------------------------------- */

enum { KX, ENC, MAC, N_AXES, MAX_VALUES = 16 };

typedef struct {
    bool is_in[N_AXES][MAX_VALUES];
    uint8_t order[N_AXES][MAX_VALUES]; /* by preference */
    size_t n[N_AXES];
} Grid;

static uint8_t
value_of (const HkTlsSuite *suite, int axis)
{
    return axis == KX ? suite->kx : axis == ENC ? suite->enc : suite->mac;
}

static void
grid_add (Grid *self, const HkTlsSuite *suite)
{
    for (int axis = 0; axis < N_AXES; axis++) {
        uint8_t v = value_of (suite, axis);
        if (self->is_in[axis][v])
            continue;
        self->is_in[axis][v] = true;
        self->order[axis][self->n[axis]++] = v;
    }
}

static bool
grid_has (const Grid *self, const HkTlsSuite *suite)
{
    return self->is_in[KX][suite->kx] && self->is_in[ENC][suite->enc] &&
           self->is_in[MAC][suite->mac];
}

/* The grid offers suites that nobody wished for: take away the row, column or layer that
 * costs the fewest wishes, and of several the least preferred.  False: it offers none. */
static bool
grid_shrink (Grid *self, const bool wanted[HK_TLS_MAX_SUITES])
{
    int best_axis = -1;
    uint8_t best = 0;
    size_t least = G_MAXSIZE;
    for (int axis = 0; axis < N_AXES; axis++)
        for (size_t p = self->n[axis]; p-- > 0;) {
            uint8_t v = self->order[axis][p];
            size_t lost = 0, rid = 0;
            for (size_t i = 0; self->is_in[axis][v] && i < hk_tls_n_suites; i++) {
                const HkTlsSuite *s = &hk_tls_suites[i];
                bool is_hit = value_of (s, axis) == v && grid_has (self, s);
                lost += is_hit && wanted[i];
                rid += is_hit && !wanted[i];
            }
            if (rid > 0 && lost < least) {
                least = lost;
                best_axis = axis;
                best = v;
            }
        }
    if (best_axis < 0)
        return false;
    self->is_in[best_axis][best] = false;
    return true;
}

/* What is wanted and can be served with the certificates that there are. */
static size_t
choose_suites (const HkTlsWish *wish, const HkTlsSuiteList *list, Grid *out,
               bool wanted[HK_TLS_MAX_SUITES])
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        const HkTlsSuite *s = &hk_tls_suites[list->list[i]];
        bool is_ec = g_str_has_prefix (hk_tls_kx_word (s->kx), "ECDHE") ||
                     g_str_has_suffix (hk_tls_kx_word (s->kx), "ECDH");
        bool is_dh = strstr (hk_tls_kx_word (s->kx), "DH") != NULL && !is_ec;
        if (hk_tls_kx_is_anonymous (s->kx) == wish->has_certificate ||
            (is_ec && wish->curves == NULL) || (is_dh && !wish->has_dh))
            continue;
        wanted[list->list[i]] = true;
        grid_add (out, s);
        n++;
    }
    return n;
}

/* Suites that were wanted and that the grid no longer has. */
static char *
what_is_lost (const Grid *grid, const HkTlsSuiteList *list,
              const bool wanted[HK_TLS_MAX_SUITES])
{
    GString *out = g_string_new (NULL);
    for (size_t i = 0; i < list->n; i++) {
        const HkTlsSuite *s = &hk_tls_suites[list->list[i]];
        if (wanted[list->list[i]] && !grid_has (grid, s))
            g_string_append_printf (out, "%s%s", out->len > 0 ? " " : "", s->name);
    }
    return g_string_free (out, out->len == 0);
}

static void
append_axis (GString *out, const Grid *grid, int axis, const char *(*word) (unsigned) )
{
    for (size_t i = 0; i < grid->n[axis]; i++)
        if (grid->is_in[axis][grid->order[axis][i]])
            g_string_append_printf (out, ":+%s", word (grid->order[axis][i]));
}

/* TLSv1.3 has three suites of its own.  They go with the ciphers of the list, when it has
 * one of them at all: a list without any speaks of older protocols alone. */
static void
add_modern (Grid *grid)
{
    bool has_one = false;
    for (unsigned v = 0; v < hk_tls_n_enc (); v++)
        has_one = has_one || (grid->is_in[ENC][v] && hk_tls_enc_is_modern (v));
    for (unsigned v = 0; v < hk_tls_n_enc () && !has_one; v++)
        if (hk_tls_enc_is_modern (v) && !grid->is_in[ENC][v]) {
            grid->is_in[ENC][v] = true;
            grid->order[ENC][grid->n[ENC]++] = (uint8_t) v;
        }
}

static char *
cipher_text (const HkTlsWish *wish)
{
    GString *out = g_string_new (wish->ciphers);
    for (size_t i = 0; i < G_N_ELEMENTS (wish->exclude) && wish->exclude[i] != NULL; i++) {
        HkSpan rest = hk_span_text (wish->exclude[i]), word;
        while (hk_text_next_word (&rest, &word))
            g_string_append_printf (out, ":!%.*s", HK_SPAN_ARG (word));
    }
    return g_string_free (out, FALSE);
}

static bool
fail (GError **error, const char *text, const char *why)
{
    g_set_error (error, HK_TLS_ERROR, HK_TLS_ERROR_CONFIG, "\"%s\": %s", text, why);
    return false;
}

static bool
read_suites (const HkTlsWish *wish, Grid *grid, char **out_note, GError **error)
{
    HkTlsSuiteList list;
    bool wanted[HK_TLS_MAX_SUITES] = {false};
    g_autofree char *text = cipher_text (wish), *unknown = NULL;
    for (const char *p = text; *p != '\0'; p++)
        if (g_ascii_iscntrl (*p) && !g_ascii_isspace (*p))
            return fail (error, text, "no list of ciphers");
    hk_tls_suites_parse (text, &list, &unknown);
    choose_suites (wish, &list, grid, wanted);
    while (grid_shrink (grid, wanted))
        ;
    g_autofree char *lost = what_is_lost (grid, &list, wanted);
    if (out_note != NULL && lost != NULL)
        *out_note = g_strdup_printf ("not offered, because GnuTLS could not leave out its "
                                     "neighbours: %s",
                                     lost);
    else if (out_note != NULL && unknown != NULL)
        *out_note = g_strdup_printf ("no cipher is called \"%s\"", unknown);
    return true;
}

char *
hk_tls_priority (const HkTlsWish *wish, char **out_note, GError **error)
{
    unsigned mask;
    Grid grid = {.n = {0}};
    if (!hk_tls_protocols_parse (wish->protocols, &mask, error) ||
        !read_suites (wish, &grid, out_note, error))
        return NULL;
    if (!wish->has_certificate) /* there is no anonymous TLSv1.3 */
        mask &= ~(unsigned) HK_TLS_V13;
    size_t n_kx = 0;
    for (size_t i = 0; i < MAX_VALUES; i++)
        n_kx += grid.is_in[KX][i];
    if (n_kx == 0)
        mask &= HK_TLS_V13;
    if (mask == 0) {
        fail (error, wish->protocols, "no protocol is left that there are ciphers for");
        return NULL;
    }
    if (mask & HK_TLS_V13)
        add_modern (&grid);
    g_autoptr (GString) out = g_string_new ("NONE:+COMP-NULL:+CTYPE-X.509");
    append_protocols (out, mask);
    append_axis (out, &grid, ENC, hk_tls_enc_word);
    append_axis (out, &grid, KX, hk_tls_kx_word);
    append_axis (out, &grid, MAC, hk_tls_mac_word);
    if (!grid.is_in[MAC][0])
        g_string_append (out, ":+AEAD");
    append_groups (out, wish);
    g_string_append (out, ":+SIGN-ALL");
    if (wish->is_server_order)
        g_string_append (out, ":%SERVER_PRECEDENCE");
    return g_string_free (g_steal_pointer (&out), FALSE);
}
