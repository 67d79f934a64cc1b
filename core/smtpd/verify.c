/* verify.c: questions of sessions about addresses, over the line to the queue manager.
 *
 * A question stays until it is answered, ended by who asked, or late; a queue manager that
 * was restarted meanwhile is asked again. */
#include "config.h"

#include "ipc/frames.h"
#include "smtpd/smtpd_priv.h"

/* How much later than asked for the queue manager may answer. */
#define SLACK_US (10 * HK_SECOND)

typedef struct {
    HkVerify base; /* first: what plugins hold */
    HkVerifier *verifier;
    uint64_t number;
    char *address;
    int64_t wait_us;
    HkVerifyFn fn;
    void *data;
    HkLoopTimer timer;
} Question;

struct HkVerifier {
    HkLoop *loop;
    HkChannel *channel;    /* NULL: the queue manager is away */
    GHashTable *questions; /* number → Question */
    uint64_t last;
};

static void
question_free (gpointer data)
{
    Question *self = data;
    hk_timer_disarm (&self->timer);
    g_free (self->address);
    g_free (self);
}

static void
end (HkVerify *base)
{
    Question *self = (Question *) base;
    g_hash_table_remove (self->verifier->questions, &self->number);
}

static void
finish (Question *self, int32_t status, HkSpan text)
{
    HkVerifyFn fn = self->fn;
    void *data = self->data;
    end (&self->base);
    fn (data, status, text);
}

static void
on_late (HkLoopTimer *timer)
{
    finish (timer->data, HK_VERIFY_FAILED, HK_SPAN ("the queue manager does not answer"));
}

static void
send_question (HkVerifier *self, const Question *question)
{
    GByteArray *frame = hk_channel_begin (self->channel, HK_FRAME_VERIFY);
    hk_pack_u64 (frame, question->number);
    hk_pack_u64 (frame, (uint64_t) question->wait_us);
    hk_pack_span (frame, hk_span_text (question->address));
    hk_channel_end (self->channel);
}

HkVerify *
hk_verifier_start (void *verifier, HkSpan address, int64_t wait_us, HkVerifyFn fn,
                   void *data)
{
    HkVerifier *self = verifier;
    Question *question = g_new0 (Question, 1);
    question->base.end = end;
    question->verifier = self;
    question->number = ++self->last;
    question->address = hk_span_dup (address);
    question->wait_us = MAX (wait_us, 0);
    question->fn = fn;
    question->data = data;
    hk_timer_init (&question->timer, self->loop, on_late, question);
    hk_timer_arm (&question->timer, question->wait_us + SLACK_US);
    g_hash_table_insert (self->questions, &question->number, question);
    if (self->channel != NULL)
        send_question (self, question);
    return &question->base;
}

void
hk_verifier_connect (HkVerifier *self, HkChannel *channel)
{
    GHashTableIter iter;
    gpointer question;
    self->channel = channel;
    g_hash_table_iter_init (&iter, self->questions);
    while (channel != NULL && g_hash_table_iter_next (&iter, NULL, &question))
        send_question (self, question);
}

void
hk_verifier_answered (HkVerifier *self, HkSpan payload)
{
    HkUnpack in = hk_unpack (payload);
    uint64_t number = hk_unpack_u64 (&in), status = hk_unpack_u64 (&in);
    HkSpan text = hk_unpack_span (&in);
    Question *question = g_hash_table_lookup (self->questions, &number);
    if (in.failed || question == NULL) /* ended meanwhile */
        return;
    finish (question, status <= HK_VERIFY_FAILED ? (int32_t) status : HK_VERIFY_PENDING,
            text);
}

HkVerifier *
hk_verifier_new (HkLoop *loop)
{
    HkVerifier *self = g_new0 (HkVerifier, 1);
    self->loop = loop;
    self->questions =
        g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, question_free);
    return self;
}

void
hk_verifier_free (HkVerifier *self)
{
    if (self == NULL)
        return;
    g_hash_table_unref (self->questions);
    g_free (self);
}
