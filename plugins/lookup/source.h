/* source.h: what the tables kept in text share: where the text comes from, and reading it
 * again when it has changed.
 *
 * A parsed text is immutable and counted; a lookup works on the one that it got, whatever
 * is read meanwhile.  When the file cannot be read any more, the last good one stays in
 * use. Static functions only: nothing here is visible outside the plugin that includes it.
 */
#ifndef HK_PLUGINS_LOOKUP_SOURCE_H
#define HK_PLUGINS_LOOKUP_SOURCE_H

#include <hikyaku/lookup.h>
#include <hikyaku/textfile.h>

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>

#define SOURCE_LIMIT ((size_t) 512 << 20) /* bytes of one file */

typedef struct Source Source;

typedef struct {
    gint ref_count;
    void *table; /* what `parse` made */
    Source *source;
} SourceText;

struct Source {
    const HkHost *host;
    char *name; /* as in messages: the path, or the rules themselves */
    bool is_file;
    /* Makes a table of DATA, which it may write to and which goes away afterwards. */
    void *(*parse) (Source *self, char *data, size_t size);
    void (*free_table) (void *table);
    pthread_mutex_t lock; /* guards the rest */
    SourceText *text;
    HkFileState state;
    int last_error; /* errno of the last failure that was said; 0: none */
};

static inline SourceText *
source_text_ref (SourceText *self)
{
    g_atomic_int_inc (&self->ref_count);
    return self;
}

static inline void
source_text_unref (SourceText *self)
{
    if (!g_atomic_int_dec_and_test (&self->ref_count))
        return;
    self->source->free_table (self->table);
    g_free (self);
}

static inline void
source_replace (Source *self, char *data, size_t size)
{
    SourceText *old = self->text, *text = g_new (SourceText, 1);
    text->ref_count = 1;
    text->source = self;
    text->table = self->parse (self, data, size);
    self->text = text;
    if (old != NULL)
        source_text_unref (old);
}

/* Under the lock.  0 or errno. */
static inline int
source_read (Source *self)
{
    char *data;
    size_t size;
    HkFileState state;
    int e = hk_file_read (self->name, SOURCE_LIMIT, &data, &size, &state);
    if (e != 0)
        return e;
    self->state = state;
    source_replace (self, data, size);
    free (data);
    return 0;
}

static inline void
source_close (Source *self)
{
    if (self->text != NULL)
        source_text_unref (self->text);
    pthread_mutex_destroy (&self->lock);
    g_free (self->name);
}

/* HK_OK; HK_LATER: the file cannot be read now; HK_BROKEN: wrong inline rules.  PARSE and
 * FREE_TABLE are set by the caller. */
static inline HkAnswer
source_open (Source *self, const HkHost *host, HkSpan argument, bool allow_inline,
             HkCall *call)
{
    self->host = host;
    self->name = g_strndup ((const char *) argument.data, argument.size);
    self->is_file = !allow_inline || argument.size == 0 || argument.data[0] != '{';
    pthread_mutex_init (&self->lock, NULL);
    if (self->is_file) {
        int e = source_read (self);
        if (e == 0)
            return HK_OK;
        HkAnswer answer = host->later (call, "open %s: %s", self->name, g_strerror (e));
        source_close (self);
        return answer;
    }
    char *data;
    size_t size;
    const char *why = hk_lines_from_braces (argument, &data, &size);
    if (why != NULL) {
        HkAnswer answer = host->broken (call, "%s in \"%s\"", why, self->name);
        source_close (self);
        return answer;
    }
    source_replace (self, data, size);
    free (data);
    return HK_OK;
}

static inline void
source_say (Source *self, int e)
{
    if (self->last_error != e && e != 0)
        self->host->log (self->host, HK_LOG_WARNING,
                         "%s: %s; the table stays as it was read before", self->name,
                         g_strerror (e));
    self->last_error = e;
}

/* The text as it is now; source_text_unref it.  Any thread. */
static inline SourceText *
source_get (Source *self)
{
    HkFileState now = {0};
    int e = self->is_file ? hk_file_state (self->name, &now) : 0;
    pthread_mutex_lock (&self->lock);
    if (self->is_file) {
        if (e == 0 && !hk_file_state_same (&now, &self->state))
            e = source_read (self);
        source_say (self, e);
    }
    SourceText *text = source_text_ref (self->text);
    pthread_mutex_unlock (&self->lock);
    return text;
}

#endif
