/* suites.c: the cipher suites that OpenSSL and GnuTLS both know, and OpenSSL's language for
 * lists of them.
 *
 * The rows stand in OpenSSL's own order, which its lists build on.  tests/system/tls
 * compares them with the openssl program. */
#include "config.h"

#include "tls/tls_priv.h"

enum { ECDHE_ECDSA, ECDHE_RSA, DHE_RSA, RSA, ANON_ECDH, ANON_DH, N_KX };
enum {
    ENC_AES256_GCM,
    ENC_CHACHA20,
    ENC_AES256_CCM,
    ENC_AES256_CCM8,
    ENC_AES128_GCM,
    ENC_AES128_CCM,
    ENC_AES128_CCM8,
    ENC_AES256_CBC,
    ENC_AES128_CBC,
    ENC_CAMELLIA256_CBC,
    ENC_CAMELLIA128_CBC,
    ENC_NULL,
    N_ENC
};
enum { MAC_AEAD, MAC_SHA384, MAC_SHA256, MAC_SHA1, MAC_MD5, N_MAC };
enum { V3, V10, V12 };

/* clang-format off */
const HkTlsSuite hk_tls_suites[] = {
    {"ECDHE-ECDSA-AES256-GCM-SHA384", 0xC02C, ECDHE_ECDSA, ENC_AES256_GCM, MAC_AEAD, V12},
    {"ECDHE-RSA-AES256-GCM-SHA384", 0xC030, ECDHE_RSA, ENC_AES256_GCM, MAC_AEAD, V12},
    {"DHE-RSA-AES256-GCM-SHA384", 0x009F, DHE_RSA, ENC_AES256_GCM, MAC_AEAD, V12},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", 0xCCA9, ECDHE_ECDSA, ENC_CHACHA20, MAC_AEAD, V12},
    {"ECDHE-RSA-CHACHA20-POLY1305", 0xCCA8, ECDHE_RSA, ENC_CHACHA20, MAC_AEAD, V12},
    {"DHE-RSA-CHACHA20-POLY1305", 0xCCAA, DHE_RSA, ENC_CHACHA20, MAC_AEAD, V12},
    {"ECDHE-ECDSA-AES256-CCM8", 0xC0AF, ECDHE_ECDSA, ENC_AES256_CCM8, MAC_AEAD, V12},
    {"ECDHE-ECDSA-AES256-CCM", 0xC0AD, ECDHE_ECDSA, ENC_AES256_CCM, MAC_AEAD, V12},
    {"DHE-RSA-AES256-CCM8", 0xC0A3, DHE_RSA, ENC_AES256_CCM8, MAC_AEAD, V12},
    {"DHE-RSA-AES256-CCM", 0xC09F, DHE_RSA, ENC_AES256_CCM, MAC_AEAD, V12},
    {"ADH-AES256-GCM-SHA384", 0x00A7, ANON_DH, ENC_AES256_GCM, MAC_AEAD, V12},
    {"ECDHE-ECDSA-AES128-GCM-SHA256", 0xC02B, ECDHE_ECDSA, ENC_AES128_GCM, MAC_AEAD, V12},
    {"ECDHE-RSA-AES128-GCM-SHA256", 0xC02F, ECDHE_RSA, ENC_AES128_GCM, MAC_AEAD, V12},
    {"DHE-RSA-AES128-GCM-SHA256", 0x009E, DHE_RSA, ENC_AES128_GCM, MAC_AEAD, V12},
    {"ECDHE-ECDSA-AES128-CCM8", 0xC0AE, ECDHE_ECDSA, ENC_AES128_CCM8, MAC_AEAD, V12},
    {"ECDHE-ECDSA-AES128-CCM", 0xC0AC, ECDHE_ECDSA, ENC_AES128_CCM, MAC_AEAD, V12},
    {"DHE-RSA-AES128-CCM8", 0xC0A2, DHE_RSA, ENC_AES128_CCM8, MAC_AEAD, V12},
    {"DHE-RSA-AES128-CCM", 0xC09E, DHE_RSA, ENC_AES128_CCM, MAC_AEAD, V12},
    {"ADH-AES128-GCM-SHA256", 0x00A6, ANON_DH, ENC_AES128_GCM, MAC_AEAD, V12},
    {"ECDHE-ECDSA-AES256-SHA384", 0xC024, ECDHE_ECDSA, ENC_AES256_CBC, MAC_SHA384, V12},
    {"ECDHE-RSA-AES256-SHA384", 0xC028, ECDHE_RSA, ENC_AES256_CBC, MAC_SHA384, V12},
    {"DHE-RSA-AES256-SHA256", 0x006B, DHE_RSA, ENC_AES256_CBC, MAC_SHA256, V12},
    {"ECDHE-ECDSA-CAMELLIA256-SHA384", 0xC073, ECDHE_ECDSA, ENC_CAMELLIA256_CBC, MAC_SHA384, V12},
    {"ECDHE-RSA-CAMELLIA256-SHA384", 0xC077, ECDHE_RSA, ENC_CAMELLIA256_CBC, MAC_SHA384, V12},
    {"DHE-RSA-CAMELLIA256-SHA256", 0x00C4, DHE_RSA, ENC_CAMELLIA256_CBC, MAC_SHA256, V12},
    {"ADH-AES256-SHA256", 0x006D, ANON_DH, ENC_AES256_CBC, MAC_SHA256, V12},
    {"ADH-CAMELLIA256-SHA256", 0x00C5, ANON_DH, ENC_CAMELLIA256_CBC, MAC_SHA256, V12},
    {"ECDHE-ECDSA-AES128-SHA256", 0xC023, ECDHE_ECDSA, ENC_AES128_CBC, MAC_SHA256, V12},
    {"ECDHE-RSA-AES128-SHA256", 0xC027, ECDHE_RSA, ENC_AES128_CBC, MAC_SHA256, V12},
    {"DHE-RSA-AES128-SHA256", 0x0067, DHE_RSA, ENC_AES128_CBC, MAC_SHA256, V12},
    {"ECDHE-ECDSA-CAMELLIA128-SHA256", 0xC072, ECDHE_ECDSA, ENC_CAMELLIA128_CBC, MAC_SHA256, V12},
    {"ECDHE-RSA-CAMELLIA128-SHA256", 0xC076, ECDHE_RSA, ENC_CAMELLIA128_CBC, MAC_SHA256, V12},
    {"DHE-RSA-CAMELLIA128-SHA256", 0x00BE, DHE_RSA, ENC_CAMELLIA128_CBC, MAC_SHA256, V12},
    {"ADH-AES128-SHA256", 0x006C, ANON_DH, ENC_AES128_CBC, MAC_SHA256, V12},
    {"ADH-CAMELLIA128-SHA256", 0x00BF, ANON_DH, ENC_CAMELLIA128_CBC, MAC_SHA256, V12},
    {"ECDHE-ECDSA-AES256-SHA", 0xC00A, ECDHE_ECDSA, ENC_AES256_CBC, MAC_SHA1, V10},
    {"ECDHE-RSA-AES256-SHA", 0xC014, ECDHE_RSA, ENC_AES256_CBC, MAC_SHA1, V10},
    {"DHE-RSA-AES256-SHA", 0x0039, DHE_RSA, ENC_AES256_CBC, MAC_SHA1, V3},
    {"DHE-RSA-CAMELLIA256-SHA", 0x0088, DHE_RSA, ENC_CAMELLIA256_CBC, MAC_SHA1, V3},
    {"AECDH-AES256-SHA", 0xC019, ANON_ECDH, ENC_AES256_CBC, MAC_SHA1, V10},
    {"ADH-AES256-SHA", 0x003A, ANON_DH, ENC_AES256_CBC, MAC_SHA1, V3},
    {"ADH-CAMELLIA256-SHA", 0x0089, ANON_DH, ENC_CAMELLIA256_CBC, MAC_SHA1, V3},
    {"ECDHE-ECDSA-AES128-SHA", 0xC009, ECDHE_ECDSA, ENC_AES128_CBC, MAC_SHA1, V10},
    {"ECDHE-RSA-AES128-SHA", 0xC013, ECDHE_RSA, ENC_AES128_CBC, MAC_SHA1, V10},
    {"DHE-RSA-AES128-SHA", 0x0033, DHE_RSA, ENC_AES128_CBC, MAC_SHA1, V3},
    {"DHE-RSA-CAMELLIA128-SHA", 0x0045, DHE_RSA, ENC_CAMELLIA128_CBC, MAC_SHA1, V3},
    {"AECDH-AES128-SHA", 0xC018, ANON_ECDH, ENC_AES128_CBC, MAC_SHA1, V10},
    {"ADH-AES128-SHA", 0x0034, ANON_DH, ENC_AES128_CBC, MAC_SHA1, V3},
    {"ADH-CAMELLIA128-SHA", 0x0046, ANON_DH, ENC_CAMELLIA128_CBC, MAC_SHA1, V3},
    {"AES256-GCM-SHA384", 0x009D, RSA, ENC_AES256_GCM, MAC_AEAD, V12},
    {"AES256-CCM8", 0xC0A1, RSA, ENC_AES256_CCM8, MAC_AEAD, V12},
    {"AES256-CCM", 0xC09D, RSA, ENC_AES256_CCM, MAC_AEAD, V12},
    {"AES128-GCM-SHA256", 0x009C, RSA, ENC_AES128_GCM, MAC_AEAD, V12},
    {"AES128-CCM8", 0xC0A0, RSA, ENC_AES128_CCM8, MAC_AEAD, V12},
    {"AES128-CCM", 0xC09C, RSA, ENC_AES128_CCM, MAC_AEAD, V12},
    {"AES256-SHA256", 0x003D, RSA, ENC_AES256_CBC, MAC_SHA256, V12},
    {"CAMELLIA256-SHA256", 0x00C0, RSA, ENC_CAMELLIA256_CBC, MAC_SHA256, V12},
    {"AES128-SHA256", 0x003C, RSA, ENC_AES128_CBC, MAC_SHA256, V12},
    {"CAMELLIA128-SHA256", 0x00BA, RSA, ENC_CAMELLIA128_CBC, MAC_SHA256, V12},
    {"AES256-SHA", 0x0035, RSA, ENC_AES256_CBC, MAC_SHA1, V3},
    {"CAMELLIA256-SHA", 0x0084, RSA, ENC_CAMELLIA256_CBC, MAC_SHA1, V3},
    {"AES128-SHA", 0x002F, RSA, ENC_AES128_CBC, MAC_SHA1, V3},
    {"CAMELLIA128-SHA", 0x0041, RSA, ENC_CAMELLIA128_CBC, MAC_SHA1, V3},
    {"ECDHE-ECDSA-NULL-SHA", 0xC006, ECDHE_ECDSA, ENC_NULL, MAC_SHA1, V10},
    {"ECDHE-RSA-NULL-SHA", 0xC010, ECDHE_RSA, ENC_NULL, MAC_SHA1, V10},
    {"AECDH-NULL-SHA", 0xC015, ANON_ECDH, ENC_NULL, MAC_SHA1, V10},
    {"NULL-SHA256", 0x003B, RSA, ENC_NULL, MAC_SHA256, V12},
    {"NULL-SHA", 0x0002, RSA, ENC_NULL, MAC_SHA1, V3},
    {"NULL-MD5", 0x0001, RSA, ENC_NULL, MAC_MD5, V3},
};
/* clang-format on */
const size_t hk_tls_n_suites = G_N_ELEMENTS (hk_tls_suites);
G_STATIC_ASSERT (G_N_ELEMENTS (hk_tls_suites) <= HK_TLS_MAX_SUITES);

static const char *const kx_words[N_KX] = {
    "ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA", "RSA", "ANON-ECDH", "ANON-DH",
};
static const char *const enc_words[N_ENC] = {
    "AES-256-GCM", "CHACHA20-POLY1305", "AES-256-CCM",      "AES-256-CCM-8",
    "AES-128-GCM", "AES-128-CCM",       "AES-128-CCM-8",    "AES-256-CBC",
    "AES-128-CBC", "CAMELLIA-256-CBC",  "CAMELLIA-128-CBC", "NULL",
};
static const unsigned enc_bits[N_ENC] = {256, 256, 256, 256, 128, 128,
                                         128, 256, 128, 256, 128, 0};
static const char *const mac_words[N_MAC] = {"AEAD", "SHA384", "SHA256", "SHA1", "MD5"};

const char *
hk_tls_kx_word (unsigned kx)
{
    return kx_words[kx];
}

const char *
hk_tls_enc_word (unsigned enc)
{
    return enc_words[enc];
}

const char *
hk_tls_mac_word (unsigned mac)
{
    return mac_words[mac];
}

bool
hk_tls_kx_is_anonymous (unsigned kx)
{
    return kx == ANON_ECDH || kx == ANON_DH;
}

bool
hk_tls_enc_is_modern (unsigned enc)
{
    return enc == ENC_AES256_GCM || enc == ENC_CHACHA20 || enc == ENC_AES128_GCM;
}

unsigned
hk_tls_n_kx (void)
{
    return N_KX;
}

unsigned
hk_tls_n_enc (void)
{
    return N_ENC;
}

unsigned
hk_tls_n_mac (void)
{
    return N_MAC;
}

const char *
hk_tls_suite_name (unsigned code)
{
    static const char *const modern[] = {
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"};
    if (code > 0x1300 && code <= 0x1300 + G_N_ELEMENTS (modern))
        return modern[code - 0x1301];
    for (size_t i = 0; i < hk_tls_n_suites; i++)
        if (hk_tls_suites[i].code == code)
            return hk_tls_suites[i].name;
    return NULL;
}

/* ---- words ------------------------------------------------------------------------------
 */

#define B(x) (1u << (x))
enum { ANY_KX = B (N_KX) - 1, ANON = B (ANON_ECDH) | B (ANON_DH) };
enum {
    AESGCM = B (ENC_AES256_GCM) | B (ENC_AES128_GCM),
    AESCCM8 = B (ENC_AES256_CCM8) | B (ENC_AES128_CCM8),
    AESCCM = B (ENC_AES256_CCM) | B (ENC_AES128_CCM) | AESCCM8,
    AES128 =
        B (ENC_AES128_GCM) | B (ENC_AES128_CCM) | B (ENC_AES128_CCM8) | B (ENC_AES128_CBC),
    AES256 =
        B (ENC_AES256_GCM) | B (ENC_AES256_CCM) | B (ENC_AES256_CCM8) | B (ENC_AES256_CBC),
    CAMELLIA = B (ENC_CAMELLIA256_CBC) | B (ENC_CAMELLIA128_CBC),
    ANY_ENC = B (N_ENC) - 1,
    SECRET = ANY_ENC & ~B (ENC_NULL)
};
enum { ANY_MAC = B (N_MAC) - 1, ANY_V = 7 };

/* What a word stands for: the suites that match in all four. */
typedef struct {
    const char *word;
    unsigned kx, enc, mac, version;
} Word;

/* clang-format off */
static const Word words[] = {
    {"ALL", ANY_KX, SECRET, ANY_MAC, ANY_V},
    {"COMPLEMENTOFALL", ANY_KX, B (ENC_NULL), ANY_MAC, ANY_V},
    {"HIGH", ANY_KX, SECRET, ANY_MAC, ANY_V},
    /* Nothing of these grades is left in either library, as they are built nowadays. */
    {"MEDIUM", 0, 0, 0, 0}, {"LOW", 0, 0, 0, 0}, {"EXPORT", 0, 0, 0, 0}, {"EXP", 0, 0, 0, 0},
    {"EXPORT40", 0, 0, 0, 0}, {"EXPORT56", 0, 0, 0, 0}, {"FIPS", ANY_KX, SECRET, ANY_MAC, ANY_V},
    {"eNULL", ANY_KX, B (ENC_NULL), ANY_MAC, ANY_V},
    {"NULL", ANY_KX, B (ENC_NULL), ANY_MAC, ANY_V},
    {"aNULL", ANON, ANY_ENC, ANY_MAC, ANY_V},
    {"ADH", B (ANON_DH), ANY_ENC, ANY_MAC, ANY_V},
    {"AECDH", B (ANON_ECDH), ANY_ENC, ANY_MAC, ANY_V},
    {"kRSA", B (RSA), ANY_ENC, ANY_MAC, ANY_V},
    {"RSA", B (RSA), ANY_ENC, ANY_MAC, ANY_V},
    {"aRSA", B (RSA) | B (DHE_RSA) | B (ECDHE_RSA), ANY_ENC, ANY_MAC, ANY_V},
    {"aECDSA", B (ECDHE_ECDSA), ANY_ENC, ANY_MAC, ANY_V},
    {"ECDSA", B (ECDHE_ECDSA), ANY_ENC, ANY_MAC, ANY_V},
    {"kDHE", B (DHE_RSA) | B (ANON_DH), ANY_ENC, ANY_MAC, ANY_V},
    {"kEDH", B (DHE_RSA) | B (ANON_DH), ANY_ENC, ANY_MAC, ANY_V},
    {"DH", B (DHE_RSA) | B (ANON_DH), ANY_ENC, ANY_MAC, ANY_V},
    {"DHE", B (DHE_RSA), ANY_ENC, ANY_MAC, ANY_V},
    {"EDH", B (DHE_RSA), ANY_ENC, ANY_MAC, ANY_V},
    {"kECDHE", B (ECDHE_RSA) | B (ECDHE_ECDSA) | B (ANON_ECDH), ANY_ENC, ANY_MAC, ANY_V},
    {"kEECDH", B (ECDHE_RSA) | B (ECDHE_ECDSA) | B (ANON_ECDH), ANY_ENC, ANY_MAC, ANY_V},
    {"ECDH", B (ECDHE_RSA) | B (ECDHE_ECDSA) | B (ANON_ECDH), ANY_ENC, ANY_MAC, ANY_V},
    {"ECDHE", B (ECDHE_RSA) | B (ECDHE_ECDSA), ANY_ENC, ANY_MAC, ANY_V},
    {"EECDH", B (ECDHE_RSA) | B (ECDHE_ECDSA), ANY_ENC, ANY_MAC, ANY_V},
    {"AES128", ANY_KX, AES128, ANY_MAC, ANY_V},
    {"AES256", ANY_KX, AES256, ANY_MAC, ANY_V},
    {"AES", ANY_KX, AES128 | AES256, ANY_MAC, ANY_V},
    {"AESGCM", ANY_KX, AESGCM, ANY_MAC, ANY_V},
    {"AESCCM", ANY_KX, AESCCM, ANY_MAC, ANY_V},
    {"AESCCM8", ANY_KX, AESCCM8, ANY_MAC, ANY_V},
    {"CHACHA20", ANY_KX, B (ENC_CHACHA20), ANY_MAC, ANY_V},
    {"CAMELLIA128", ANY_KX, B (ENC_CAMELLIA128_CBC), ANY_MAC, ANY_V},
    {"CAMELLIA256", ANY_KX, B (ENC_CAMELLIA256_CBC), ANY_MAC, ANY_V},
    {"CAMELLIA", ANY_KX, CAMELLIA, ANY_MAC, ANY_V},
    {"SHA1", ANY_KX, ANY_ENC, B (MAC_SHA1), ANY_V},
    {"SHA", ANY_KX, ANY_ENC, B (MAC_SHA1), ANY_V},
    {"SHA256", ANY_KX, ANY_ENC, B (MAC_SHA256), ANY_V},
    {"SHA384", ANY_KX, ANY_ENC, B (MAC_SHA384), ANY_V},
    {"MD5", ANY_KX, ANY_ENC, B (MAC_MD5), ANY_V},
    {"TLSv1.2", ANY_KX, ANY_ENC, ANY_MAC, B (V12)},
    {"TLSv1.0", ANY_KX, ANY_ENC, ANY_MAC, B (V10)},
    {"TLSv1", ANY_KX, ANY_ENC, ANY_MAC, B (V10)},
    {"SSLv3", ANY_KX, ANY_ENC, ANY_MAC, B (V3)},
    /* Known to OpenSSL, in no suite that both libraries have. */
    {"RC4", 0, 0, 0, 0}, {"RC2", 0, 0, 0, 0}, {"DES", 0, 0, 0, 0}, {"3DES", 0, 0, 0, 0},
    {"IDEA", 0, 0, 0, 0}, {"SEED", 0, 0, 0, 0}, {"PSK", 0, 0, 0, 0}, {"kPSK", 0, 0, 0, 0},
    {"aPSK", 0, 0, 0, 0}, {"kECDHEPSK", 0, 0, 0, 0}, {"kDHEPSK", 0, 0, 0, 0},
    {"kRSAPSK", 0, 0, 0, 0}, {"SRP", 0, 0, 0, 0}, {"kSRP", 0, 0, 0, 0}, {"aSRP", 0, 0, 0, 0},
    {"DSS", 0, 0, 0, 0}, {"aDSS", 0, 0, 0, 0}, {"KRB5", 0, 0, 0, 0}, {"kDH", 0, 0, 0, 0},
    {"kDHr", 0, 0, 0, 0}, {"kDHd", 0, 0, 0, 0}, {"aDH", 0, 0, 0, 0}, {"kECDHr", 0, 0, 0, 0},
    {"kECDHe", 0, 0, 0, 0}, {"kECDH", 0, 0, 0, 0}, {"aECDH", 0, 0, 0, 0}, {"ARIA", 0, 0, 0, 0},
    {"ARIA128", 0, 0, 0, 0}, {"ARIA256", 0, 0, 0, 0}, {"ARIAGCM", 0, 0, 0, 0},
    {"GOST94", 0, 0, 0, 0}, {"GOST89", 0, 0, 0, 0}, {"GOST89MAC", 0, 0, 0, 0},
    {"kGOST", 0, 0, 0, 0}, {"aGOST", 0, 0, 0, 0}, {"aGOST01", 0, 0, 0, 0},
    {"aGOST12", 0, 0, 0, 0}, {"GOST12", 0, 0, 0, 0}, {"SUITEB128", 0, 0, 0, 0},
};
/* clang-format on */

static bool
is_outside_default (const HkTlsSuite *s)
{
    return hk_tls_kx_is_anonymous (s->kx) || B (s->enc) & (CAMELLIA | AESCCM);
}

/* Narrow MATCH to what WORD stands for; false: nobody knows it. */
static bool
narrow (HkSpan word, bool match[HK_TLS_MAX_SUITES])
{
    const Word *known = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS (words) && known == NULL; i++)
        known = hk_span_is (word, words[i].word) ? &words[i] : NULL;
    bool is_complement = hk_span_is (word, "COMPLEMENTOFDEFAULT");
    bool is_known = known != NULL || is_complement;
    for (size_t i = 0; i < hk_tls_n_suites; i++) {
        const HkTlsSuite *s = &hk_tls_suites[i];
        bool is_one = is_complement ? s->enc != ENC_NULL && is_outside_default (s)
                      : known == NULL
                          ? hk_span_is (word, s->name)
                          : (known->kx & B (s->kx)) && (known->enc & B (s->enc)) &&
                                (known->mac & B (s->mac)) &&
                                (known->version & B (s->version));
        is_known = is_known || is_one;
        match[i] = match[i] && is_one;
    }
    return is_known;
}

/* ---- OpenSSL's rules: one list, in which a suite is active, idle or struck out
 * ------------ */

typedef struct {
    uint8_t order[HK_TLS_MAX_SUITES];
    bool is_active[HK_TLS_MAX_SUITES], is_dead[HK_TLS_MAX_SUITES]; /* by suite */
} Work;

/* Those that MATCH and are (not) ACTIVE move to the end, or to the front, in their order.
 */
static void
move (Work *self, const bool *match, bool active, bool to_front)
{
    uint8_t moved[HK_TLS_MAX_SUITES], rest[HK_TLS_MAX_SUITES];
    size_t n_moved = 0, n_rest = 0, n = hk_tls_n_suites;
    for (size_t i = 0; i < n; i++) {
        uint8_t suite = self->order[i];
        if (match[suite] && self->is_active[suite] == active && !self->is_dead[suite])
            moved[n_moved++] = suite;
        else
            rest[n_rest++] = suite;
    }
    memcpy (self->order, to_front ? moved : rest, to_front ? n_moved : n_rest);
    memcpy (self->order + (to_front ? n_moved : n_rest), to_front ? rest : moved,
            to_front ? n_rest : n_moved);
}

static void
set_active (Work *self, const bool *match, bool value)
{
    for (size_t i = 0; i < hk_tls_n_suites; i++)
        if (match[i] && !self->is_dead[i])
            self->is_active[i] = value;
}

static void
apply (Work *self, char operation, const bool *match)
{
    switch (operation) {
    case '!':
        for (size_t i = 0; i < hk_tls_n_suites; i++) {
            self->is_dead[i] = self->is_dead[i] || match[i];
            self->is_active[i] = self->is_active[i] && !match[i];
        }
        break;
    case '-':
        move (self, match, true, true);
        set_active (self, match, false);
        break;
    case '+':
        move (self, match, true, false);
        break;
    default:
        move (self, match, false, false);
        set_active (self, match, true);
    }
}

/* The strong ones first; otherwise the order stays. */
static void
sort_by_strength (Work *self)
{
    static const unsigned strengths[] = {0, 128, 256};
    for (int step = G_N_ELEMENTS (strengths) - 1; step >= 0; step--) {
        bool match[HK_TLS_MAX_SUITES];
        for (size_t i = 0; i < hk_tls_n_suites; i++)
            match[i] = enc_bits[hk_tls_suites[i].enc] == strengths[step];
        move (self, match, true, false);
    }
}

/* "DEFAULT" may stand first. */
static void
apply_default (Work *self)
{
    bool all[HK_TLS_MAX_SUITES], outside[HK_TLS_MAX_SUITES];
    for (size_t i = 0; i < hk_tls_n_suites; i++) {
        all[i] = hk_tls_suites[i].enc != ENC_NULL;
        outside[i] = is_outside_default (&hk_tls_suites[i]);
    }
    apply (self, ' ', all);
    apply (self, '!', outside);
}

static bool
is_separator (char c)
{
    return c == ':' || c == ' ' || c == ';' || c == ',' || c == '\t' || c == '\n';
}

/* One rule: an operator, and words joined by '+'. */
static bool
apply_rule (Work *self, HkSpan rule)
{
    char operation = ' ';
    bool match[HK_TLS_MAX_SUITES];
    memset (match, true, sizeof match);
    if (rule.data[0] == '!' || rule.data[0] == '-' || rule.data[0] == '+') {
        operation = (char) rule.data[0];
        rule = hk_span_sub (rule, 1, rule.size);
    }
    if (rule.size > 0 && rule.data[0] == '@') {
        if (hk_span_is (rule, "@STRENGTH"))
            sort_by_strength (self);
        return hk_span_is (rule, "@STRENGTH") ||
               hk_span_starts_ci (rule, HK_SPAN ("@SECLEVEL="));
    }
    if (hk_span_is (rule, "DEFAULT") && operation == ' ') {
        apply_default (self);
        return true;
    }
    for (size_t at = 0; at <= rule.size;) {
        size_t plus = hk_span_find (rule, '+', at);
        if (!narrow (hk_span_sub (rule, at, plus - at), match))
            return false;
        at = plus + 1;
    }
    apply (self, operation, match);
    return true;
}

bool
hk_tls_suites_parse (const char *text, HkTlsSuiteList *out, char **out_unknown)
{
    Work work = {.is_active = {false}};
    bool is_clean = true;
    for (size_t i = 0; i < hk_tls_n_suites; i++)
        work.order[i] = (uint8_t) i;
    while (*text != '\0') {
        const char *end = text;
        while (*end != '\0' && !is_separator (*end))
            end++;
        if (end > text && !apply_rule (&work, hk_span (text, (size_t) (end - text)))) {
            if (is_clean && out_unknown != NULL)
                *out_unknown = g_strndup (text, (gsize) (end - text));
            is_clean = false;
        }
        text = *end == '\0' ? end : end + 1;
    }
    out->n = 0;
    for (size_t i = 0; i < hk_tls_n_suites; i++)
        if (work.is_active[work.order[i]])
            out->list[out->n++] = work.order[i];
    return is_clean;
}
