/* access_priv.h: what the files of this room share: plans, steps and one run of them. */
#ifndef HK_ACCESS_PRIV_H
#define HK_ACCESS_PRIV_H

#include "access/access.h"

typedef enum {
    HK_STEP_RESTRICTION,     /* ask an instance */
    HK_STEP_CLASS,           /* a list of smtpd_restriction_classes */
    HK_STEP_DEFER_IF_PERMIT, /* the words themselves */
    HK_STEP_DEFER_IF_REJECT,
    HK_STEP_SLEEP,
    HK_STEP_UNKNOWN,    /* 451 4.3.5 */
    HK_STEP_UNAVAILABLE /* 451 4.3.0: did not open, may do so later */
} HkStepKind;

/* Whose name stands in front of a reply. */
typedef enum {
    HK_ABOUT_CLIENT,
    HK_ABOUT_REVERSE_CLIENT,
    HK_ABOUT_HELO,
    HK_ABOUT_SENDER,
    HK_ABOUT_RECIPIENT,
    HK_ABOUT_SASL,
    HK_ABOUT_ETRN,
    HK_ABOUT_DATA,
    HK_ABOUT_END_OF_DATA
} HkAbout;
typedef struct {
    HkAbout about;
    const char *class; /* "Recipient address" */
} HkReplyKind;

typedef struct HkPlan HkPlan;
typedef struct {
    HkStepKind kind;
    bool is_warning; /* after warn_if_reject */
    char *word;      /* as written, for logs */
    char *argument;  /* what stood behind it, for logs; NULL: nothing */
    const char *advice; /* of an outdated word: what to write instead */
    unsigned seconds;   /* HK_STEP_SLEEP */
    const HkReplyKind *about; /* of what its replies speak; NULL: of what the list does */
    HkInstance *instance;
    const HkRestrictionClass *class;
    HkPlan *plan; /* HK_STEP_CLASS; borrowed */
    bool is_of_list; /* a table without a word: what it is asked about is its list's */
    char *problem;
} HkStep;

struct HkPlan {
    char *name; /* the parameter, or the table value it was made from */
    GArray *steps;
    bool may_block, guards_relay;
    bool is_open;  /* being compiled */
    bool is_ended; /* by permit, reject or defer */
    bool may_wait; /* a step has the asynchronous form, or is sleep */
    bool is_of_list; /* a step is: this plan is for LIST alone */
    int list;
};

enum {
    HK_LIST_CLIENT,
    HK_LIST_HELO,
    HK_LIST_SENDER,
    HK_LIST_RELAY,
    HK_LIST_RECIPIENT,
    HK_LIST_DATA,
    HK_LIST_END_OF_DATA,
    HK_LIST_ETRN,
    HK_N_LISTS
};
extern const char *const hk_list_parameters[HK_N_LISTS];

/* A list parameter that plugins may ask about (match_list). */
typedef struct {
    const char *parameter;
    HkMatchList *list;
} HkNamedList;
#define HK_N_NAMED_LISTS 4

struct HkAccess {
    HkPlugins *plugins;
    HkSettings *settings;
    HkRouter *router;
    HkPlan *lists[HK_N_LISTS];
    GHashTable *classes;  /* name → HkPlan */
    GMutex lock;          /* guards values */
    GHashTable *values;   /* table value → HkPlan */
    int values_may_block; /* atomic: one of them does */
    int values_may_wait;  /* atomic: one of them does */
    bool waits_by_class, prepares;
    HkNamedList named[HK_N_NAMED_LISTS];
    bool is_delayed, relay_is_first, checks_recipient, checks_sender, blocks_by_class;
    HkMatchList *permit_log; /* smtpd_log_access_permit_actions; NULL: none */
    bool takes_unknown; /* no_unknown_recipient_checks: every address counts as known */
    int reject_code, defer_code; /* access_map_* */
};

/* A reply that waits for what the rest says. */
typedef struct {
    bool is_set;
    int code;
    char dsn[12];
    GString *text;
} HkPostponed;

/* What the replies of the list at hand begin with: "<name>: Recipient address". */
typedef struct {
    HkSpan name;
    const char *class;
    HkAbout about;
} HkReplySubject;

/* One run of the lists of one stage. */
typedef struct HkAccessRun {
    HkAccess *access;
    const HkAccessSubject *subject;
    HkVerdict *out;
    HkStage stage;
    int list;
    const HkStep *step;
    HkCall *call; /* of the step under way */
    bool is_warning;
    bool is_refused;      /* OUT holds the refusal already */
    bool recipient_known; /* a step has looked it up */
    bool permit_is_logged;
    unsigned depth;       /* lists inside lists */
    HkPostponed if_permit, if_reject;
    HkReplySubject outer; /* of the table whose value is being run; class NULL: none */
    GString *client, *reply_subject, *reason, *standard_sender,
        *standard_recipient; /* lent to plugins */
    HkAccessTask *task; /* NULL: this run cannot wait */
    bool must_wait;     /* ... and has met a step that has to */
    const HkPlan *nested; /* runs when the plugin has returned HK_NESTED */
    HkReplySubject nested_subject; /* and becomes `outer` */
} HkAccessRun;

/* ---- compile.c */
HkPlan *hk_plan_compile (HkAccess *self, int list); /* from its parameter */
HkPlan *hk_plan_compile_text (HkAccess *self, int list, HkSpan text);
/* The plan of a restriction class, made when first met.  Only while opening. */
HkPlan *hk_access_class_plan (HkAccess *self, const char *name, int list);
void hk_plan_free (HkPlan *self);
/* The plan of a table value, made when first met; NULL when there are too many. */
HkPlan *hk_access_value_plan (HkAccess *self, HkSpan value, int list);

/* ---- words.c: what is known of words without opening them */
/* The name in use of a word of other times; the word itself when it is none. */
const char *hk_access_current_name (const char *word);
/* For an outdated WORD what to write instead; NULL: it is up to date. */
const char *hk_access_advice (const char *word);
/* "hash:/etc/access" alone in LIST is short for this; NULL: for nothing. */
const char *hk_access_implied_check (int list);
/* Does it keep the server from relaying for everyone? */
bool hk_access_guards_relay (const char *word);
bool hk_access_ends_list (const char *word);
/* Of what the replies of WORD, and its log lines, speak; NULL: of what its list does. */
const HkReplyKind *hk_access_reply_kind (const char *word);
const HkReplyKind *hk_access_list_kind (int list);

/* ---- access.c */
size_t hk_access_lists_of (const HkAccess *self, HkStage stage, int out[5]);

/* ---- run.c */
extern const HkCallOps hk_access_call_ops;
HkAnswer hk_access_run_plan (HkAccessRun *run, const HkPlan *plan);
/* Refuse with this reply: honours warn_if_reject and defer_if_reject.  Returns HK_REJECT,
 * HK_DISCONNECT, or HK_DUNNO when it was only a warning. */
HkAnswer hk_access_refuse (HkAccessRun *run, int code, const char *dsn, HkSpan text);
HkAnswer hk_access_refuse_f (HkAccessRun *run, int code, const char *dsn,
                             const char *format, ...) G_GNUC_PRINTF (4, 5);
void hk_access_postpone (HkPostponed *slot, int code, const char *dsn, HkSpan text);
void hk_access_log (HkAccessRun *run, const char *status, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* What task.c shares with it. */
HkAnswer hk_access_run_step (HkAccessRun *run, const HkStep *step);
HkAnswer hk_access_take_answer (HkAccessRun *run, HkCall *call, const HkStep *step,
                                HkAnswer answer);
bool hk_access_is_ready (const HkAccessRun *run, const HkStep *step);
void hk_access_begin_list (HkAccessRun *run, int list);
/* Nothing stands in it, or nothing that it could speak of is there. */
bool hk_access_skips_list (const HkAccessRun *run, int list);
void hk_access_final_checks (HkAccessRun *run);
void hk_access_run_clear (HkAccessRun *run);

/* ---- task.c */
static inline bool
hk_step_waits (const HkStep *step)
{
    return step->kind == HK_STEP_SLEEP ||
           (step->kind == HK_STEP_RESTRICTION &&
            HK_HAS (step->class, HkRestrictionClass, check_start));
}
/* A run without a task has come to a step that waits: it ends here. */
HkAnswer hk_access_give_up (HkAccessRun *run);
void hk_access_task_complete (HkAccessTask *self);

/* ---- action.c */
/* Lists inside table values inside lists: deeper than this is a loop. */
#define HK_ACCESS_MAX_DEPTH 100
/* access(5): carry out ACTION, found for SUBJECT (empty: what the list is about). */
HkAnswer hk_access_action (HkAccessRun *run, HkSpan action, HkSpan subject);
HkReplySubject hk_access_reply_subject (HkAccessRun *run, const HkReplyKind *kind);
/* What the step under way speaks of. */
HkReplySubject hk_access_step_subject (HkAccessRun *run);
/* smtpd_log_access_permit_actions: log that ACTION permits; TABLE may be NULL. */
void hk_access_log_permit (HkAccessRun *run, HkSpan action, HkReplySubject subject,
                           const char *table);

/* ---- ops.c: properties */
HkAnswer hk_access_prop (HkAccessRun *run, uint32_t id, HkSpan *out);
HkAnswer hk_access_prop_int (HkAccessRun *run, uint32_t id, int64_t *out);

#endif
