/* syntax.c: the grammar of SMTP commands: verbs, MAIL and RCPT parameters. */
#include "config.h"
#include "session/syntax.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "mail/address.h"

static const char verb_names[][12] = {
    "HELO", "EHLO", "XCLIENT", "XFORWARD", "STARTTLS", "AUTH", "MAIL", "RCPT",    "DATA",
    "BDAT", "RSET", "NOOP",    "VRFY",     "ETRN",     "QUIT", "HELP", "UNKNOWN", "CONNECT",
};

const char *
hk_verb_name (HkVerb verb)
{
    return verb_names[verb];
}

static HkVerb
find_verb (HkSpan word)
{
    if (word.size < 4 || word.size > 8)
        return HK_VERB_UNKNOWN;
    for (unsigned i = 0; i < HK_VERB_UNKNOWN; i++)
        if (strlen (verb_names[i]) == word.size &&
            g_ascii_strncasecmp (verb_names[i], (const char *) word.data, word.size) == 0)
            return (HkVerb) i;
    return HK_VERB_UNKNOWN;
}

bool
hk_command_parse (HkSpan line, HkCommand *out)
{
    line = hk_span_strip (line);
    if (line.size == 0)
        return false;
    size_t n = 0;
    while (n < line.size && line.data[n] != ' ' && line.data[n] != '\t')
        n++;
    out->word = hk_span (line.data, n);
    out->argument = hk_span_strip (hk_span_sub (line, n, line.size));
    out->verb = find_verb (out->word);
    return true;
}

bool
hk_command_is_header (HkSpan word)
{
    size_t colon = hk_span_find (word, ':', 0);
    if (colon == 0 || colon == word.size)
        return false;
    for (size_t i = 0; i < colon; i++)
        if (word.data[i] <= ' ' || word.data[i] > '~')
            return false;
    return true;
}

bool
hk_command_is_clean (HkSpan line)
{
    return !hk_span_has_line_break (line);
}

static bool G_GNUC_PRINTF (4, 5)
    refuse (HkRefusal *refusal, int code, const char *dsn, const char *format, ...)
{
    va_list ap;
    refusal->code = code;
    refusal->dsn = dsn;
    va_start (ap, format);
    g_vsnprintf (refusal->text, sizeof refusal->text, format, ap);
    va_end (ap);
    return false;
}

/* A clipped copy for a reply; what is not printable is made so by the reply. */
#define SHOWN(s) (int) MIN ((s).size, 100), (const char *) (s).data

/* "FROM:" or "TO:" in front, without a blank in it; blanks behind are allowed. */
static bool
take_label (HkSpan *argument, const char *label)
{
    HkSpan word = hk_span_text (label);
    if (!hk_span_starts_ci (*argument, word))
        return false;
    HkSpan rest = hk_span_sub (*argument, word.size, argument->size);
    if (rest.size == 0 || rest.data[0] != ':')
        return false;
    *argument = hk_span_strip (hk_span_sub (rest, 1, rest.size));
    return argument->size > 0;
}

static bool
has_control (HkSpan s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] < ' ' || s.data[i] == 0x7f)
            return true;
    return false;
}

static bool
is_ascii (HkSpan s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] > 127)
            return false;
    return true;
}

/* Next blank-separated "KEY[=VALUE]". */
static bool
next_parameter (HkSpan *rest, HkSpan *out_key, HkSpan *out_value, HkSpan *out_whole)
{
    *rest = hk_span_strip (*rest);
    if (rest->size == 0)
        return false;
    size_t n = 0;
    while (n < rest->size && rest->data[n] != ' ' && rest->data[n] != '\t')
        n++;
    *out_whole = hk_span (rest->data, n);
    *rest = hk_span_sub (*rest, n, rest->size);
    size_t eq = hk_span_find (*out_whole, '=', 0);
    *out_key = hk_span (out_whole->data, eq);
    *out_value = eq < n ? hk_span_sub (*out_whole, eq + 1, n) : HK_SPAN_NONE;
    return true;
}

/* Decoded xtext in ARENA; false on bad syntax or when it hides control characters. */
static bool
decode_xtext (HkSpan value, HkArena *arena, HkSpan *out)
{
    g_autoptr (GString) text = g_string_new (NULL);
    if (!hk_text_decode_xtext (value, text) || has_control (hk_span_string (text)))
        return false;
    *out = hk_arena_copy (arena, hk_span_string (text));
    return true;
}

/* ---- MAIL -------------------------------------------------------------------------------
 */

static bool
mail_size (HkSpan value, uint64_t limit, HkMailOptions *out, HkRefusal *refusal)
{
    if (value.size == 0)
        return refuse (refusal, 501, "5.5.4", "Bad message size syntax");
    for (size_t i = 0; i < value.size; i++)
        if (!g_ascii_isdigit (value.data[i]))
            return refuse (refusal, 501, "5.5.4", "Bad message size syntax");
    out->has_size = true;
    if (!hk_text_parse_u64 (value, G_MAXINT64, &out->size) ||
        (limit > 0 && out->size > limit))
        return refuse (refusal, 552, "5.3.4", "Message size exceeds fixed limit");
    return true;
}

/* RFC 4954 5.  It is not decoded: logs and policies show it as it came. */
static bool
mail_auth (HkSpan value, HkMailOptions *out, HkRefusal *refusal)
{
    if (out->auth.data != NULL)
        return refuse (refusal, 503, "5.5.4", "Error: multiple AUTH= options");
    out->auth = hk_span_is (value, "<>") ? hk_span (value.data, 0) : value;
    return true;
}

/* RFC 3461's, to a client that was not offered them. */
static bool
refuse_dsn (HkRefusal *refusal)
{
    return refuse (refusal, 501, "5.7.1", "DSN support is disabled");
}

static bool
mail_parameter (HkSpan key, HkSpan value, unsigned syntax, uint64_t limit,
                const HkEsmtpRules *rules, HkArena *arena, HkMailOptions *out,
                HkRefusal *refusal, bool *out_known)
{
    *out_known = true;
    HkEsmtpAnswer answer = hk_esmtp_parameter (key, value, rules, &out->esmtp, refusal);
    if (answer != HK_ESMTP_UNKNOWN)
        return answer == HK_ESMTP_TAKEN;
    /* A keyword that is nothing without its value. */
    if (value.data == NULL && !hk_span_is_ci (key, "SMTPUTF8")) {
        *out_known = false;
        return true;
    }
    if ((syntax & HK_SYNTAX_SIZE) && hk_span_is_ci (key, "SIZE"))
        return mail_size (value, limit, out, refusal);
    if ((syntax & HK_SYNTAX_8BITMIME) && hk_span_is_ci (key, "BODY")) {
        out->is_8bit = hk_span_is_ci (value, "8BITMIME");
        if (out->is_8bit || hk_span_is_ci (value, "7BIT"))
            return true;
    }
    if ((syntax & HK_SYNTAX_UTF8) && hk_span_is_ci (key, "SMTPUTF8") &&
        value.data == NULL) {
        out->is_smtputf8 = true;
        return true;
    }
    if (!(syntax & HK_SYNTAX_DSN) &&
        (hk_span_is_ci (key, "RET") || hk_span_is_ci (key, "ENVID")))
        return refuse_dsn (refusal);
    if (hk_span_is_ci (key, "RET")) {
        bool full = hk_span_is_ci (value, "FULL"), hdrs = hk_span_is_ci (value, "HDRS");
        if (out->ret_full || out->ret_hdrs || (!full && !hdrs))
            return refuse (refusal, 501, "5.5.4", "Bad RET parameter syntax");
        out->ret_full = full;
        out->ret_hdrs = hdrs;
        return true;
    }
    if (hk_span_is_ci (key, "ENVID")) {
        if (out->envid.size > 0 || value.size == 0 || value.size > 100 ||
            !decode_xtext (value, arena, &out->envid))
            return refuse (refusal, 501, "5.5.4", "Bad ENVID parameter syntax");
        return true;
    }
    if (value.data != NULL && hk_span_is_ci (key, "AUTH"))
        return mail_auth (value, out, refusal);
    *out_known = false;
    return true;
}

static bool
bad_address (bool is_sender, HkRefusal *refusal)
{
    return is_sender ? refuse (refusal, 501, "5.1.7", "Bad sender address syntax")
                     : refuse (refusal, 501, "5.1.3", "Bad recipient address syntax");
}

/* The path of MAIL or RCPT.  IS_UTF8: SMTPUTF8 holds. */
static bool
parse_path (HkSpan text, unsigned syntax, bool is_sender, HkArena *arena, HkSpan *out_path,
            HkSpan *out_rest, HkRefusal *refusal)
{
    unsigned flags = (syntax & HK_SYNTAX_UTF8 ? HK_PATH_ALLOW_UTF8 : 0) |
                     (syntax & HK_SYNTAX_STRICT ? HK_PATH_STRICT : 0) |
                     (is_sender ? HK_PATH_ALLOW_EMPTY : 0);
    HkPathResult result = hk_path_parse (text, flags, arena, out_path, out_rest);
    if (result == HK_PATH_OK && !has_control (*out_path))
        return true;
    if (result == HK_PATH_NEEDS_UTF8)
        return refuse (refusal, 553, "5.6.7",
                       "Must declare SMTPUTF8 to send unicode address");
    if (result == HK_PATH_TOO_LONG)
        return refuse (refusal, 501, is_sender ? "5.1.7" : "5.1.3", "Path too long");
    return bad_address (is_sender, refusal);
}

/* Bytes above 127 must be UTF-8, and declared when that is strict. */
static bool
check_utf8 (HkSpan path, unsigned syntax, bool is_declared, bool is_sender,
            HkRefusal *refusal)
{
    if (is_ascii (path))
        return true;
    if (!(syntax & HK_SYNTAX_UTF8) || ((syntax & HK_SYNTAX_STRICT_UTF8) && !is_declared))
        return refuse (refusal, 553, "5.6.7",
                       "Must declare SMTPUTF8 to send unicode address");
    HkSpan local, domain;
    if (!is_declared && hk_address_split (path, &local, &domain) && !is_ascii (domain))
        return bad_address (is_sender, refusal);
    if (!g_utf8_validate ((const char *) path.data, (gssize) path.size, NULL))
        return bad_address (is_sender, refusal);
    return true;
}

bool
hk_mail_parse (HkSpan argument, unsigned syntax, uint64_t size_limit,
               const HkEsmtpRules *rules, HkArena *arena, HkMailOptions *out,
               HkRefusal *refusal)
{
    HkSpan rest, key, value, whole;

    *out = (HkMailOptions){.size = 0};
    if (!take_label (&argument, "FROM"))
        return refuse (refusal, 501, "5.5.4", "Syntax: MAIL FROM:<address>");
    if (!parse_path (argument, syntax, true, arena, &out->sender, &rest, refusal))
        return false;
    while (next_parameter (&rest, &key, &value, &whole)) {
        bool is_known;
        if (!mail_parameter (key, value, syntax, size_limit, rules, arena, out, refusal,
                             &is_known))
            return false;
        if (!is_known)
            return refuse (refusal, 555, "5.5.4", "Unsupported option: %.*s",
                           SHOWN (whole));
    }
    return hk_esmtp_check (&out->esmtp, rules, out->sender, refusal) &&
           check_utf8 (out->sender, syntax, out->is_smtputf8, true, refusal);
}

/* ---- RCPT -------------------------------------------------------------------------------
 */

static bool
parse_notify (HkSpan value, uint32_t *out)
{
    uint32_t notify = 0;
    while (value.size > 0) {
        size_t comma = hk_span_find (value, ',', 0);
        HkSpan word = hk_span (value.data, comma);
        uint32_t bit = hk_span_is_ci (word, "NEVER")     ? HK_NOTIFY_NEVER
                       : hk_span_is_ci (word, "SUCCESS") ? HK_NOTIFY_SUCCESS
                       : hk_span_is_ci (word, "FAILURE") ? HK_NOTIFY_FAILURE
                       : hk_span_is_ci (word, "DELAY")   ? HK_NOTIFY_DELAY
                                                         : 0;
        if (bit == 0 || (notify & bit) || comma + 1 == value.size)
            return false;
        notify |= bit;
        value = hk_span_sub (value, comma + 1, value.size);
    }
    *out = notify;
    return notify != 0 && (!(notify & HK_NOTIFY_NEVER) || notify == HK_NOTIFY_NEVER);
}

/* "rfc822;xtext": the type stays, the address is decoded. */
static bool
parse_orcpt (HkSpan value, HkArena *arena, HkSpan *out)
{
    size_t semicolon = hk_span_find (value, ';', 0);
    if (semicolon == 0 || semicolon + 1 >= value.size || value.size > 500)
        return false;
    for (size_t i = 0; i < semicolon; i++)
        if (!g_ascii_isalnum (value.data[i]) && value.data[i] != '-')
            return false;
    g_autoptr (GString) text = g_string_new (NULL);
    hk_string_append (text, hk_span (value.data, semicolon + 1));
    HkSpan address;
    if (!decode_xtext (hk_span_sub (value, semicolon + 1, value.size), arena, &address) ||
        address.size == 0)
        return false;
    hk_string_append (text, address);
    *out = hk_arena_copy (arena, hk_span_string (text));
    return true;
}

bool
hk_rcpt_parse (HkSpan argument, unsigned syntax, HkArena *arena, HkRcptOptions *out,
               HkRefusal *refusal)
{
    HkSpan rest, key, value, whole;

    *out = (HkRcptOptions){.notify = 0};
    if (!take_label (&argument, "TO"))
        return refuse (refusal, 501, "5.5.4", "Syntax: RCPT TO:<address>");
    if (!parse_path (argument, syntax, false, arena, &out->recipient, &rest, refusal))
        return false;
    if (out->recipient.size == 0)
        return refuse (refusal, 501, "5.1.3", "Bad recipient address syntax");
    while (next_parameter (&rest, &key, &value, &whole)) {
        bool is_notify = value.data != NULL && hk_span_is_ci (key, "NOTIFY");
        bool is_orcpt = value.data != NULL && hk_span_is_ci (key, "ORCPT");
        if ((is_notify || is_orcpt) && !(syntax & HK_SYNTAX_DSN))
            return refuse_dsn (refusal);
        if (is_notify) {
            if (out->notify != 0 || !parse_notify (value, &out->notify))
                return refuse (refusal, 501, "5.5.4", "Error: Bad NOTIFY parameter syntax");
        } else if (is_orcpt) {
            if (out->orcpt.size > 0 || !parse_orcpt (value, arena, &out->orcpt))
                return refuse (refusal, 501, "5.5.4", "Error: Bad ORCPT parameter syntax");
        } else {
            return refuse (refusal, 555, "5.5.4", "Unsupported option: %.*s",
                           SHOWN (whole));
        }
    }
    return check_utf8 (out->recipient, syntax, (syntax & HK_SYNTAX_TX_UTF8) != 0, false,
                       refusal);
}

bool
hk_bdat_parse (HkSpan argument, uint64_t *out_size, bool *out_last)
{
    size_t n = 0;
    while (n < argument.size && argument.data[n] != ' ' && argument.data[n] != '\t')
        n++;
    HkSpan count = hk_span (argument.data, n);
    HkSpan word = hk_span_strip (hk_span_sub (argument, n, argument.size));
    *out_last = hk_span_is_ci (word, "LAST");
    return (word.size == 0 || *out_last) && hk_text_parse_u64 (count, G_MAXINT64, out_size);
}
