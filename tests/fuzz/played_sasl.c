/* played_sasl.c: a sasl plugin that answers by what it is sent, at once or a little later. */
#include "session/auth_priv.h"

static struct {
    const HkHost *host;
    HkCall *call;   /* pending */
    void *exchange; /* ... of this one; NULL: the mechanisms */
    HkSaslDone done;
    HkAnswer answer;
    int n_exchanges;
    bool is_late;
} play;

static HkAnswer
play_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out)
{
    (void) conf;
    (void) call;
    play.host = host;
    *out = &play;
    return HK_OK;
}

static void
play_close (void *instance)
{
    (void) instance;
}

static void
answer_now_or_later (void *exchange, HkCall *call, HkAnswer answer, HkSaslDone done)
{
    if (!play.is_late) {
        done (call, answer);
        return;
    }
    g_assert (play.call == NULL);
    play.call = call;
    play.exchange = exchange;
    play.done = done;
    play.answer = answer;
}

static void
play_mechanisms (void *instance, HkCall *call, HkSaslDone done)
{
    (void) instance;
    play.host->answer (call, "PLAIN LOGIN X", 13);
    answer_now_or_later (NULL, call, HK_FOUND, done);
}

static void
play_cancel (void *instance, HkCall *call)
{
    (void) instance;
    g_assert (play.call == call);
    play.call = NULL;
}

static HkAnswer
play_begin (void *instance, HkCall *call, HkSpan mechanism, void **out)
{
    (void) instance;
    (void) call;
    (void) mechanism;
    play.n_exchanges++;
    *out = g_malloc (1);
    return HK_OK;
}

static void
play_end (void *exchange)
{
    play.n_exchanges--;
    if (play.exchange == exchange)
        play.call = NULL;
    g_free (exchange);
}

static void
play_step (void *exchange, HkCall *call, HkSpan response, HkSaslDone done)
{
    static const HkAnswer answers[] = {HK_OK,    HK_FOUND,  HK_ABSENT,
                                       HK_LATER, HK_BROKEN, (HkAnswer) 77};
    HkAnswer answer = response.size == 0 ? HK_OK
                                         : answers[response.data[0] % G_N_ELEMENTS (answers)];
    play.host->answer (call, response.data, response.size);
    if (answer == HK_ABSENT && response.size > 3)
        play.host->reply (call, HK_ABSENT, 0, NULL, "%.*s", HK_SPAN_ARG (response));
    answer_now_or_later (exchange, call, answer, done);
}

static const HkSaslClass class = {.base = {.size = sizeof (HkSaslClass),
                                           .kind = HK_KIND_SASL,
                                           .class_minor = HK_SASL_MINOR,
                                           .name = "played",
                                           .flags = HK_THREAD_SAFE,
                                           .open = play_open,
                                           .close = play_close},
                                  .server_begin = play_begin,
                                  .server_end = play_end,
                                  .mechanisms_start = play_mechanisms,
                                  .mechanisms_cancel = play_cancel,
                                  .server_step_start = play_step};
static const HkClass *const classes[] = {&class.base, NULL};
static const HkPlugin played_sasl = {.size = sizeof (HkPlugin),
                                .magic = HK_PLUGIN_MAGIC,
                                .abi_major = HK_ABI_MAJOR,
                                .abi_minor = HK_ABI_MINOR,
                                .name = "sasl_played",
                                .version = "1",
                                .licence = "LGPL-2.1-or-later",
                                .summary = "fuzz",
                                .classes = classes};

/* What waits is answered. */
static void
play_answer (void)
{
    HkCall *call = g_steal_pointer (&play.call);
    if (call != NULL)
        play.done (call, play.answer);
}
