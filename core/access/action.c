/* action.c: the actions of access(5), as tables and policy servers give them. */
#include "access/access_priv.h"

#include "base/log.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/reply.h"

/* ---- what replies are about
 * ---------------------------------------------------------------- */

static HkSpan
client_name_address (HkAccessRun *run)
{
    const HkAccessSubject *s = run->subject;
    if (run->client == NULL)
        run->client = g_string_sized_new (128);
    g_string_printf (run->client, "%.*s[%.*s]", HK_SPAN_ARG (s->client_name),
                     HK_SPAN_ARG (s->client_address));
    return hk_span_string (run->client);
}

static HkSpan
name_of (HkAccessRun *run, HkAbout about)
{
    const HkAccessSubject *s = run->subject;
    switch (about) {
    case HK_ABOUT_CLIENT:
        return client_name_address (run);
    case HK_ABOUT_REVERSE_CLIENT:
        return s->client_reverse_name;
    case HK_ABOUT_HELO:
        return s->helo;
    case HK_ABOUT_SENDER:
        return s->sender;
    case HK_ABOUT_RECIPIENT:
        return s->recipient;
    case HK_ABOUT_SASL:
        return s->sasl_username;
    case HK_ABOUT_ETRN:
        return s->etrn_domain;
    case HK_ABOUT_DATA:
        return HK_SPAN ("DATA");
    case HK_ABOUT_END_OF_DATA:
        return HK_SPAN ("END-OF-MESSAGE");
    }
    return HK_SPAN_NONE;
}

HkReplySubject
hk_access_reply_subject (HkAccessRun *run, const HkReplyKind *kind)
{
    if (kind == NULL && run->outer.class != NULL)
        return run->outer;
    if (kind == NULL)
        kind = hk_access_list_kind (run->list);
    return (HkReplySubject){name_of (run, kind->about), kind->class, kind->about};
}

/* check_*_access speak of what they looked up, whatever list they stand in. */
HkReplySubject
hk_access_step_subject (HkAccessRun *run)
{
    return hk_access_reply_subject (run, run->step != NULL ? run->step->about : NULL);
}

/* access(5), ENHANCED STATUS CODES: one table serves senders, recipients and others, so an
 * address status is turned to the kind of address at hand, or to a general one. */
static void
fit_dsn (char dsn[12], HkAbout about)
{
    static const char *const to_sender[][2] = {{"1.1", "1.7"}, {"1.2", "1.8"},
                                               {"1.3", "1.7"}, {"1.4", "1.7"},
                                               {"1.5", "1.0"}, {"1.6", "1.7"}};
    static const char *const to_recipient[][2] = {{"1.8", "1.2"}, {"1.7", "1.3"}};
    if (about == HK_ABOUT_SENDER) {
        for (size_t i = 0; i < G_N_ELEMENTS (to_sender); i++)
            if (strcmp (dsn + 2, to_sender[i][0]) == 0) {
                g_strlcpy (dsn + 2, to_sender[i][1], 10);
                return;
            }
    } else if (about == HK_ABOUT_RECIPIENT) {
        for (size_t i = 0; i < G_N_ELEMENTS (to_recipient); i++)
            if (strcmp (dsn + 2, to_recipient[i][0]) == 0) {
                g_strlcpy (dsn + 2, to_recipient[i][1], 10);
                return;
            }
    } else if (g_str_has_prefix (dsn + 2, "1.")) {
        g_strlcpy (dsn + 2, "0.0", 10);
    }
}

/* ---- the actions
 * ------------------------------------------------------------------------------ */

typedef struct {
    HkAccessRun *run;
    HkReplySubject subject;
    HkSpan word, text; /* the word, and what follows it */
} Action;

static const char *
table_of (const HkAccessRun *run)
{
    return run->step != NULL && run->step->argument != NULL ? run->step->argument : "";
}

/* "5.7.1 text": the status at the front of the action's text, or DEFAULT. */
static HkSpan
split_dsn (const Action *action, const char *preset, char out[12])
{
    size_t length = hk_dsn_prefix (action->text);
    if (length == 0 || length >= 12) {
        g_strlcpy (out, preset, 12);
        return action->text;
    }
    memcpy (out, action->text.data, length);
    out[length] = '\0';
    fit_dsn (out, action->subject.about);
    if (strncmp (out, (const char *) action->text.data, length) != 0)
        hk_log (HK_LOG_INFO, "mapping DSN status %.*s into %s status %s", (int) length,
                (const char *) action->text.data, action->subject.class, out);
    return hk_span_strip (hk_span_sub (action->text, length, action->text.size));
}

static HkAnswer
refuse_with (const Action *action, int code, const char *preset_dsn)
{
    char dsn[12];
    HkSpan text = split_dsn (action, preset_dsn, dsn);
    if (text.size == 0)
        text = HK_SPAN ("Access denied");
    return hk_access_refuse_f (action->run, code, dsn, "<%.*s>: %s rejected: %.*s",
                               HK_SPAN_ARG (action->subject.name), action->subject.class,
                               HK_SPAN_ARG (text));
}

static HkAnswer
act_reject (const Action *action)
{
    return refuse_with (action, action->run->access->reject_code, "5.7.1");
}

static HkAnswer
act_defer (const Action *action)
{
    return refuse_with (action, action->run->access->defer_code, "4.7.1");
}

static HkAnswer
postpone (const Action *action, HkPostponed *slot)
{
    char dsn[12];
    HkSpan text = split_dsn (action, "4.7.1", dsn);
    if (text.size == 0)
        text = HK_SPAN ("Service unavailable");
    g_autofree char *full =
        g_strdup_printf ("<%.*s>: %s rejected: %.*s", HK_SPAN_ARG (action->subject.name),
                         action->subject.class, HK_SPAN_ARG (text));
    if (action->run->is_warning && slot == &action->run->if_permit)
        return hk_access_refuse (action->run, action->run->access->defer_code, dsn,
                                 hk_span_text (full));
    hk_access_postpone (slot, action->run->access->defer_code, dsn, hk_span_text (full));
    return HK_DUNNO;
}

static HkAnswer
act_defer_if_permit (const Action *action)
{
    return postpone (action, &action->run->if_permit);
}

static HkAnswer
act_defer_if_reject (const Action *action)
{
    return postpone (action, &action->run->if_reject);
}

static HkAnswer
act_ok (const Action *action)
{
    hk_access_log_permit (action->run, action->word, action->subject,
                          table_of (action->run));
    return HK_PERMIT;
}

static HkAnswer
act_dunno (const Action *action)
{
    (void) action;
    return HK_DUNNO;
}

/* WARN and INFO say what the table says; HOLD and DISCARD of whom, too. */
static void
log_text (const Action *action, const char *status)
{
    hk_access_log (action->run, status, "%.*s", HK_SPAN_ARG (action->text));
}

static void
log_trigger (const Action *action, const char *status, const char *word)
{
    if (action->text.size > 0)
        hk_access_log (action->run, status, "<%.*s>: %s %.*s",
                       HK_SPAN_ARG (action->subject.name), action->subject.class,
                       HK_SPAN_ARG (action->text));
    else
        hk_access_log (action->run, status, "<%.*s>: %s triggers %s action",
                       HK_SPAN_ARG (action->subject.name), action->subject.class, word);
}

static HkAnswer
act_warn (const Action *action)
{
    log_text (action, "warn");
    return HK_DUNNO;
}

static HkAnswer
act_info (const Action *action)
{
    log_text (action, "info");
    return HK_DUNNO;
}

/* What changes a message needs one. */
static bool
has_message (const Action *action)
{
    const HkAccessRun *run = action->run;
    if (run->stage == HK_STAGE_ETRN)
        hk_log (HK_LOG_WARNING, "access table %s: action %.*s is unavailable in %s",
                table_of (run), HK_SPAN_ARG (action->word),
                hk_list_parameters[HK_LIST_ETRN]);
    else if (!run->subject->has_sender)
        hk_log (HK_LOG_WARNING,
                "access table %s: with smtpd_delay_reject=no, action %.*s is always skipped "
                "in Client host or Helo command restrictions",
                table_of (run), HK_SPAN_ARG (action->word));
    return run->stage != HK_STAGE_ETRN && run->subject->has_sender;
}

static HkAnswer
act_hold (const Action *action)
{
    if (!has_message (action) || action->run->subject->is_held ||
        action->run->out->hold) /* said already */
        return HK_DUNNO;
    log_trigger (action, "hold", "HOLD");
    if (!action->run->is_warning) {
        action->run->out->hold = true;
        g_string_truncate (action->run->out->hold_reason, 0);
        hk_string_append (action->run->out->hold_reason, action->text);
    }
    return HK_DUNNO;
}

static HkAnswer
act_discard (const Action *action)
{
    if (!has_message (action))
        return HK_DUNNO;
    log_trigger (action, "discard", "DISCARD");
    if (action->run->is_warning)
        return HK_DUNNO;
    hk_access_log_permit (action->run, HK_SPAN ("DISCARD"), action->subject,
                          table_of (action->run));
    return HK_DISCARD;
}

static HkAnswer
misused (const Action *action, const char *what)
{
    hk_log (HK_LOG_WARNING, "access table %s entry \"%.*s\" %s", table_of (action->run),
            HK_SPAN_ARG (action->subject.name), what);
    return HK_DUNNO;
}

static void
log_target (const Action *action, const char *status, const char *word)
{
    hk_access_log (action->run, status, "<%.*s>: %s triggers %s %.*s",
                   HK_SPAN_ARG (action->subject.name), action->subject.class, word,
                   HK_SPAN_ARG (action->text));
}

static HkAnswer
act_filter (const Action *action)
{
    if (!has_message (action))
        return HK_DUNNO;
    if (action->text.size == 0)
        return misused (action, "has FILTER entry without value");
    if (hk_span_find (action->text, ':', 0) == action->text.size)
        return misused (action, "requires transport:destination");
    log_target (action, "filter", "FILTER");
    if (!action->run->is_warning) {
        g_string_truncate (action->run->out->filter, 0);
        hk_string_append (action->run->out->filter, action->text);
    }
    return HK_DUNNO;
}

static bool
is_full_address (HkSpan address)
{
    HkSpan local, domain;
    return hk_address_split (address, &local, &domain) && local.size > 0 &&
           domain.size > 0 && !hk_span_has_line_break (address);
}

static HkAnswer
act_redirect (const Action *action)
{
    if (!has_message (action))
        return HK_DUNNO;
    if (!is_full_address (action->text))
        return misused (action, "requires user@domain target");
    log_target (action, "redirect", "REDIRECT");
    if (!action->run->is_warning) {
        g_string_truncate (action->run->out->redirect, 0);
        hk_string_append (action->run->out->redirect, action->text);
    }
    return HK_DUNNO;
}

static HkAnswer
act_bcc (const Action *action)
{
    if (!has_message (action))
        return HK_DUNNO;
    if (!is_full_address (action->text))
        return misused (action, "requires user@domain target");
    log_target (action, "bcc", "BCC");
    if (!action->run->is_warning) {
        g_ptr_array_set_size (action->run->out->bcc,
                              0); /* access(5): the last one is used */
        g_ptr_array_add (action->run->out->bcc, hk_span_dup (action->text));
    }
    return HK_DUNNO;
}

/* "Name: value": what stands on top of a message must be a header. */
static bool
is_header (HkSpan text)
{
    size_t colon = hk_span_find (text, ':', 0);
    if (colon == 0 || colon == text.size || hk_span_has_line_break (text))
        return false;
    for (size_t i = 0; i < colon; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return true;
}

static HkAnswer
act_prepend (const Action *action)
{
    if (action->run->stage == HK_STAGE_END_OF_DATA) {
        hk_log (HK_LOG_WARNING, "access table %s: action PREPEND must be used before %s",
                table_of (action->run), hk_list_parameters[HK_LIST_END_OF_DATA]);
        return HK_DUNNO;
    }
    if (!has_message (action))
        return HK_DUNNO;
    if (!is_header (action->text))
        return misused (action, "requires header: text");
    if (!action->run->is_warning)
        g_ptr_array_add (action->run->out->prepend, hk_span_dup (action->text));
    return HK_DUNNO;
}

static HkAnswer
refuse_value (HkAccessRun *run, HkSpan value, const char *what)
{
    hk_log (HK_LOG_WARNING, "access table %s has entry %.*s: %s", table_of (run),
            HK_SPAN_ARG (value), what);
    return hk_access_refuse_f (run, 451, "4.3.5", "Server configuration error");
}

/* Anything else is a list of restrictions, or a class. */
static HkAnswer
act_restrictions (HkAccessRun *run, HkSpan value, HkReplySubject subject)
{
    /* What a table answers must not choose files: substitutions carry a stranger's text. */
    if (hk_span_find (value, ':', 0) < value.size)
        return refuse_value (run, value,
                             "no lookup tables inside access tables; define a restriction "
                             "class and name it");
    if (run->depth >= HK_ACCESS_MAX_DEPTH)
        return refuse_value (run, value, "unreasonable recursion");
    HkPlan *plan = hk_access_value_plan (run->access, value, run->list);
    if (plan == NULL)
        return refuse_value (run, value, "too many different restriction lists in tables");
    if (run->task != NULL) { /* it may have to wait: not inside the plugin's call */
        run->nested = plan;
        run->nested_subject = subject;
        return HK_NESTED;
    }
    /* Words without a subject of their own speak of what was looked up. */
    HkReplySubject outer = run->outer;
    run->outer = subject;
    run->depth++;
    HkAnswer answer = hk_access_run_plan (run, plan);
    run->depth--;
    run->outer = outer;
    return answer;
}

static bool
is_number (HkSpan s)
{
    for (size_t i = 0; i < s.size; i++)
        if (!g_ascii_isdigit (s.data[i]))
            return false;
    return s.size > 0;
}

static const struct {
    const char *word;
    HkAnswer (*fn) (const Action *action);
} actions[] = {
    {"DUNNO", act_dunno},
    {"OK", act_ok},
    {"REJECT", act_reject},
    {"DEFER", act_defer},
    {"DEFER_IF_PERMIT", act_defer_if_permit},
    {"DEFER_IF_REJECT", act_defer_if_reject},
    {"WARN", act_warn},
    {"INFO", act_info},
    {"HOLD", act_hold},
    {"DISCARD", act_discard},
    {"FILTER", act_filter},
    {"REDIRECT", act_redirect},
    {"BCC", act_bcc},
    {"PREPEND", act_prepend},
};

/* "450 text", "550 5.1.1 text". */
static bool
is_coded (HkSpan value)
{
    return value.size > 3 && (value.data[0] == '4' || value.data[0] == '5') &&
           g_ascii_isdigit (value.data[1]) && g_ascii_isdigit (value.data[2]) &&
           (value.data[3] == ' ' || value.data[3] == '\t');
}

static HkAnswer
act_coded (Action *action, HkSpan value)
{
    int code =
        (value.data[0] - '0') * 100 + (value.data[1] - '0') * 10 + value.data[2] - '0';
    action->text = hk_span_strip (hk_span_sub (value, 3, value.size));
    return refuse_with (action, code, code < 500 ? "4.7.1" : "5.7.1");
}

HkAnswer
hk_access_action (HkAccessRun *run, HkSpan value, HkSpan subject)
{
    Action action = {.run = run};
    value = hk_span_strip (value);
    action.subject = hk_access_step_subject (run);
    if (subject.size > 0)
        action.subject.name = subject;
    if (value.size == 0) {
        hk_log (HK_LOG_WARNING, "access table %s entry %.*s has empty value",
                table_of (run), HK_SPAN_ARG (action.subject.name));
        return HK_PERMIT;
    }
    size_t end = 0;
    while (end < value.size && value.data[end] != ' ' && value.data[end] != '\t')
        end++;
    action.word = hk_span_sub (value, 0, end);
    action.text = hk_span_strip (hk_span_sub (value, end, value.size));
    for (size_t i = 0; i < G_N_ELEMENTS (actions); i++)
        if (hk_span_is_ci (action.word, actions[i].word))
            return actions[i].fn (&action);
    /* A number alone, be it 550, is what pop-before-smtp writes. */
    if (is_number (value))
        return act_ok (&action);
    if (is_coded (value))
        return act_coded (&action, value);
    return act_restrictions (run, value, action.subject);
}
