/* filter_example.c: marks messages with a header, and refuses those with a word in the
 * subject.
 *
 * SPDX-License-Identifier: 0BSD */
#include <hikyaku/filter.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct {
    const HkHost *host;
    char *text, *word; /* "" of word: refuse nothing */
} ExampleFilter;

static char *
copy_span (HkSpan s)
{
    char *copy = malloc (s.size + 1);
    if (copy != NULL) {
        memcpy (copy, s.data, s.size);
        copy[s.size] = '\0';
    }
    return copy;
}

static void
example_close (void *instance)
{
    ExampleFilter *self = instance;
    free (self->text);
    free (self->word);
    free (self);
}

static HkAnswer
example_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    ExampleFilter *self = calloc (1, sizeof *self);
    if (self == NULL)
        return host->later (call, "out of memory");
    self->host = host;
    self->text = copy_span (host->conf_string (conf, "example_header_text"));
    self->word = copy_span (host->conf_string (conf, "example_reject_word"));
    if (self->text == NULL || self->word == NULL) {
        example_close (self);
        return host->later (call, "out of memory");
    }
    *out_instance = self;
    return HK_OK;
}

static int
has_word (HkSpan text, const char *word)
{
    size_t n = strlen (word);
    for (size_t i = 0; n > 0 && i + n <= text.size; i++)
        if (strncasecmp ((const char *) text.data + i, word, n) == 0)
            return 1;
    return 0;
}

/* Called for each header of the message; MESSAGE is what message_begin stored (nothing
 * here). */
static HkAnswer
example_header (void *instance, void *message, HkCall *call, uint32_t index, HkSpan name,
                HkSpan value)
{
    ExampleFilter *self = instance;
    (void) message;
    (void) index;
    if (name.size == 7 && strncasecmp ((const char *) name.data, "subject", 7) == 0 &&
        has_word (value, self->word))
        return self->host->reply (call, HK_REJECT, 550, "5.7.1",
                                  "Message refused: subject");
    return HK_DUNNO;
}

/* The message is complete: edits are applied together after the last filter. */
static HkAnswer
example_commit (void *instance, void *message, HkCall *call)
{
    ExampleFilter *self = instance;
    (void) message;
    HkSpan name = {(const uint8_t *) "X-Example", 9};
    HkSpan value = {(const uint8_t *) self->text, strlen (self->text)};
    HkAnswer answer = self->host->edit_header_add (call, -1, name, value);
    return answer == HK_OK ? HK_DUNNO : answer;
}

static const HkParam example_params[] = {
    {"example_header_text", HK_PARAM_STRING, HK_PARAM_RELOADABLE, "seen", 0, 0, NULL,
     "Value of the X-Example header that every message gets."},
    {"example_reject_word", HK_PARAM_STRING, HK_PARAM_RELOADABLE, "", 0, 0, NULL,
     "Messages with this word in the subject are refused; empty: none."},
    {0},
};

static const HkFilterClass example_class = {
    .base = {.size = sizeof (HkFilterClass),
             .kind = HK_KIND_FILTER,
             .class_minor = HK_FILTER_MINOR,
             .name = "example",
             .flags = HK_THREAD_SAFE,
             .params = example_params,
             .open = example_open,
             .close = example_close},
    .header = example_header,
    .commit = example_commit,
};

HK_PLUGIN (filter_example, .version = "1.0", .licence = "0BSD",
           .summary = "marks messages with a header",
           .classes = HK_CLASSES (&example_class.base))
