/* sasl_dovecot_lines.c: lines of the Dovecot authentication protocol, version 1: fields
 * parted by TAB, values escaped with \001.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sasl_dovecot.h"

#include <string.h>

static bool
is (HkSpan s, const char *text)
{
    return s.size == strlen (text) && memcmp (s.data, text, s.size) == 0;
}

/* The next field of *REST; false at the end. */
static bool
next_field (HkSpan *rest, HkSpan *out)
{
    if (rest->data == NULL)
        return false;
    const uint8_t *tab = rest->size > 0 ? memchr (rest->data, '\t', rest->size) : NULL;
    size_t size = tab == NULL ? rest->size : (size_t) (tab - rest->data);
    *out = (HkSpan){rest->data, size};
    *rest = tab == NULL ? (HkSpan){NULL, 0}
                        : (HkSpan){tab + 1, rest->size - size - 1};
    return true;
}

static bool
parse_number (HkSpan s, uint32_t *out)
{
    uint64_t n = 0;
    if (s.size == 0 || s.size > 10)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (!g_ascii_isdigit (s.data[i]))
            return false;
        n = n * 10 + (uint64_t) (s.data[i] - '0');
    }
    *out = (uint32_t) n;
    return n <= UINT32_MAX;
}

static void
unescape (HkSpan s, GString *out)
{
    g_string_truncate (out, 0);
    for (size_t i = 0; i < s.size; i++) {
        char c = (char) s.data[i];
        if (c == '\001' && i + 1 < s.size) {
            switch (s.data[++i]) {
            case '0':
                c = '\0';
                break;
            case '1':
                c = '\001';
                break;
            case 't':
                c = '\t';
                break;
            case 'r':
                c = '\r';
                break;
            case 'n':
            case 'l':
                c = '\n';
                break;
            default:
                c = (char) s.data[i];
            }
        }
        g_string_append_c (out, c);
    }
}

void
sasl_dovecot_append_field (GString *out, HkSpan text)
{
    for (size_t i = 0; i < text.size; i++) {
        const char *word = NULL;
        switch (text.data[i]) {
        case '\0':
            word = "\0010";
            break;
        case '\001':
            word = "\0011";
            break;
        case '\t':
            word = "\001t";
            break;
        case '\r':
            word = "\001r";
            break;
        case '\n':
            word = "\001n";
            break;
        default:
            g_string_append_c (out, (char) text.data[i]);
        }
        if (word != NULL)
            g_string_append (out, word);
    }
}

/* ---- the greeting
 * ------------------------------------------------------------------------ */

static void
clear_mechanism (void *data)
{
    g_free (((DovecotMechanism *) data)->name);
}

void
sasl_dovecot_greeting_clear (DovecotGreeting *self)
{
    if (self->mechanisms != NULL)
        g_array_unref (self->mechanisms);
    *self = (DovecotGreeting){.mechanisms = NULL};
}

static unsigned
trait_of (HkSpan word)
{
    static const struct {
        const char *word;
        unsigned trait;
    } traits[] = {
        {"plaintext", SASL_DOVECOT_PLAINTEXT}, {"dictionary", SASL_DOVECOT_DICTIONARY},
        {"active", SASL_DOVECOT_ACTIVE},       {"anonymous", SASL_DOVECOT_ANONYMOUS},
        {"mutual-auth", SASL_DOVECOT_MUTUAL},  {"forward-secrecy", SASL_DOVECOT_FORWARD},
        {"private", SASL_DOVECOT_PRIVATE},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (traits); i++)
        if (is (word, traits[i].word))
            return traits[i].trait;
    return 0;
}

/* RFC 4422 3.1. */
static bool
is_mechanism_name (HkSpan s)
{
    for (size_t i = 0; i < s.size; i++)
        if (!g_ascii_isalnum (s.data[i]) && s.data[i] != '-' && s.data[i] != '_')
            return false;
    return s.size >= 1 && s.size <= 40;
}

static void
add_mechanism (DovecotGreeting *self, HkSpan rest)
{
    HkSpan name, word;
    if (!next_field (&rest, &name) || !is_mechanism_name (name))
        return;
    if (self->mechanisms == NULL) {
        self->mechanisms = g_array_new (FALSE, FALSE, sizeof (DovecotMechanism));
        g_array_set_clear_func (self->mechanisms, clear_mechanism);
    }
    DovecotMechanism mechanism = {NULL, 0};
    while (next_field (&rest, &word))
        mechanism.traits |= trait_of (word);
    if ((mechanism.traits & SASL_DOVECOT_PRIVATE) ||
        self->mechanisms->len >= SASL_DOVECOT_MECHANISMS_MAX)
        return;
    mechanism.name = g_ascii_strup ((const char *) name.data, (gssize) name.size);
    g_array_append_val (self->mechanisms, mechanism);
}

bool
sasl_dovecot_greeting_line (DovecotGreeting *self, HkSpan line, const char **out_why)
{
    HkSpan word, rest = line;
    uint32_t major;
    next_field (&rest, &word);
    if (is (word, "VERSION")) {
        HkSpan number;
        if (!next_field (&rest, &number) || !parse_number (number, &major) || major != 1) {
            *out_why = "it speaks another version of the protocol";
            return false;
        }
        self->has_version = true;
    } else if (is (word, "MECH")) {
        add_mechanism (self, rest);
    } else if (is (word, "SPID")) {
        /* Sockets of other services name no mechanism before this. */
        if (self->mechanisms == NULL) {
            *out_why = "it is not a socket for clients (auth-client)";
            return false;
        }
        self->has_spid = true;
    } else if (is (word, "DONE")) {
        if (!self->has_version || self->mechanisms == NULL) {
            *out_why = "it has named no version or no mechanism";
            return false;
        }
        self->is_done = true;
    }
    return true;
}

/* ---- replies
 * ----------------------------------------------------------------------------- */

void
sasl_dovecot_reply_init (DovecotReply *self)
{
    *self = (DovecotReply){.user = g_string_new (NULL),
                           .reason = g_string_new (NULL),
                           .data = g_string_new (NULL)};
}

void
sasl_dovecot_reply_clear (DovecotReply *self)
{
    g_string_free (self->user, TRUE);
    g_string_free (self->reason, TRUE);
    g_string_free (self->data, TRUE);
}

static bool
decode_data (HkSpan text, GString *out)
{
    gsize size;
    for (size_t i = 0; i < text.size; i++)
        if (!g_ascii_isalnum (text.data[i]) && strchr ("+/=", text.data[i]) == NULL)
            return false;
    if (text.size % 4 != 0)
        return false;
    g_autofree char *copy = g_strndup ((const char *) text.data, text.size);
    g_autofree guchar *bytes = g_base64_decode (copy, &size);
    g_string_truncate (out, 0);
    g_string_append_len (out, (const char *) bytes, (gssize) size);
    return true;
}

static bool
starts (HkSpan *field, const char *key)
{
    size_t n = strlen (key);
    if (field->size < n || memcmp (field->data, key, n) != 0)
        return false;
    *field = (HkSpan){field->data + n, field->size - n};
    return true;
}

static void
read_parameter (DovecotReply *self, HkSpan field)
{
    if (starts (&field, "user="))
        unescape (field, self->user);
    else if (starts (&field, "reason="))
        unescape (field, self->reason);
    else if (is (field, "temp") || is (field, "code=temp_fail"))
        self->is_temporary = true;
}

bool
sasl_dovecot_reply_line (DovecotReply *self, HkSpan line)
{
    HkSpan word, id, field, rest = line;
    next_field (&rest, &word);
    self->kind = is (word, "OK")     ? SASL_DOVECOT_OK
                 : is (word, "CONT") ? SASL_DOVECOT_CONT
                 : is (word, "FAIL") ? SASL_DOVECOT_FAIL
                                     : SASL_DOVECOT_NONE;
    self->is_temporary = false;
    g_string_truncate (self->user, 0);
    g_string_truncate (self->reason, 0);
    g_string_truncate (self->data, 0);
    if (self->kind == SASL_DOVECOT_NONE)
        return true;
    if (!next_field (&rest, &id) || !parse_number (id, &self->id))
        return false;
    if (self->kind == SASL_DOVECOT_CONT)
        return !next_field (&rest, &field) || decode_data (field, self->data);
    while (next_field (&rest, &field))
        read_parameter (self, field);
    return true;
}

/* ---- security options
 * -------------------------------------------------------------------- */

static bool
is_separator (uint8_t c)
{
    return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\n';
}

bool
sasl_dovecot_options (HkSpan words, DovecotOptions *out, HkSpan *out_word)
{
    static const struct {
        const char *word;
        unsigned refused, wanted;
    } options[] = {
        {"noplaintext", SASL_DOVECOT_PLAINTEXT, 0},
        {"noactive", SASL_DOVECOT_ACTIVE, 0},
        {"nodictionary", SASL_DOVECOT_DICTIONARY, 0},
        {"noanonymous", SASL_DOVECOT_ANONYMOUS, 0},
        {"mutual_auth", 0, SASL_DOVECOT_MUTUAL},
        {"forward_secrecy", 0, SASL_DOVECOT_FORWARD},
    };
    *out = (DovecotOptions){0, 0};
    for (size_t i = 0, end; i < words.size; i = end) {
        while (i < words.size && is_separator (words.data[i]))
            i++;
        for (end = i; end < words.size && !is_separator (words.data[end]);)
            end++;
        HkSpan word = {words.data + i, end - i};
        size_t k = 0;
        while (k < G_N_ELEMENTS (options) &&
               (strlen (options[k].word) != word.size ||
                g_ascii_strncasecmp ((const char *) word.data, options[k].word,
                                     word.size) != 0))
            k++;
        if (word.size == 0)
            continue;
        if (k == G_N_ELEMENTS (options)) {
            *out_word = word;
            return false;
        }
        out->refused |= options[k].refused;
        out->wanted |= options[k].wanted;
    }
    return true;
}

bool
sasl_dovecot_is_allowed (const DovecotMechanism *mechanism, const DovecotOptions *options)
{
    return (mechanism->traits & options->refused) == 0 &&
           (mechanism->traits & options->wanted) == options->wanted;
}
