/* bytes.h: borrowed spans and growing buffers.
 *
 * HkSpan (plugin.h) is a borrowed pointer and a length, used inside calls; what is kept is a
 * GBytes, a GString or an own copy.  Spans from the wire may hold NUL.  Any thread. */
#ifndef HK_BASE_BYTES_H
#define HK_BASE_BYTES_H

#include <glib.h>
#include <hikyaku/plugin.h>
#include <stdbool.h>
#include <string.h>

#define HK_SPAN(text) ((HkSpan) { (const uint8_t *) ("" text), sizeof (text) - 1 })
#define HK_SPAN_NONE ((HkSpan) { NULL, 0 })
#define HK_SPAN_ARG(s) (int) (s).size, (const char *) (s).data /* for "%.*s" */

static inline HkSpan
hk_span (const void *data, size_t size)
{
    return (HkSpan) { data, size };
}

/* TEXT may be NULL. */
static inline HkSpan
hk_span_text (const char *text)
{
    return (HkSpan) { (const uint8_t *) text, text == NULL ? 0 : strlen (text) };
}

static inline HkSpan
hk_span_string (const GString *s)
{
    return (HkSpan) { (const uint8_t *) s->str, s->len };
}

static inline HkSpan
hk_span_bytes (GBytes *bytes)
{
    HkSpan s;
    s.data = g_bytes_get_data (bytes, &s.size);
    return s;
}

/* The part that begins at FROM (at most the end) and has at most SIZE bytes. */
static inline HkSpan
hk_span_sub (HkSpan s, size_t from, size_t size)
{
    from = MIN (from, s.size);
    return (HkSpan) { s.data == NULL ? NULL : s.data + from, MIN (size, s.size - from) };
}

static inline bool
hk_span_equal (HkSpan a, HkSpan b)
{
    return a.size == b.size && (a.size == 0 || memcmp (a.data, b.data, a.size) == 0);
}

/* ASCII case folded; the locale plays no part. */
bool hk_span_equal_ci (HkSpan a, HkSpan b);
bool hk_span_starts_ci (HkSpan s, HkSpan prefix);
static inline bool
hk_span_is (HkSpan s, const char *text)
{
    return hk_span_equal (s, hk_span_text (text));
}
bool hk_span_is_ci (HkSpan s, const char *text);

/* First place of BYTE at or after FROM; s.size when there is none. */
static inline size_t
hk_span_find (HkSpan s, uint8_t byte, size_t from)
{
    const uint8_t *p = from < s.size ? memchr (s.data + from, byte, s.size - from) : NULL;
    return p == NULL ? s.size : (size_t) (p - s.data);
}

/* Last place of BYTE; s.size when there is none. */
size_t hk_span_rfind (HkSpan s, uint8_t byte);

/* NUL, CR or LF inside? */
bool hk_span_has_line_break (HkSpan s);

/* Without blanks and tabs, CR and LF at both ends. */
HkSpan hk_span_strip (HkSpan s);

/* A new NUL-ended copy; g_free it. */
static inline char *
hk_span_dup (HkSpan s)
{
    return g_strndup ((const char *) s.data, s.size);
}
/* ... in ASCII lower case. */
char *hk_span_dup_lower (HkSpan s);

guint hk_span_hash_ci (HkSpan s);

static inline void
hk_string_append (GString *out, HkSpan s)
{
    g_string_append_len (out, (const char *) s.data, (gssize) s.size);
}

/* Scratch memory of one transaction: freed all at once.  One thread at a time. */
typedef struct HkArena HkArena;
HkArena *hk_arena_new (size_t first_block);
void *hk_arena_alloc (HkArena *self, size_t size); /* 16-byte aligned, not zeroed */
HkSpan hk_arena_copy (HkArena *self, HkSpan s);    /* the copy is NUL-ended as well */
void hk_arena_reset (HkArena *self);               /* keeps the first block */
size_t hk_arena_used (const HkArena *self);
/* Where the next piece goes; rewinding there gives back what was taken since. */
typedef struct {
    void *block;
    size_t used;
} HkArenaMark;
HkArenaMark hk_arena_mark (const HkArena *self);
bool hk_arena_is_at (const HkArena *self, HkArenaMark mark);
void hk_arena_rewind (HkArena *self, HkArenaMark mark);
void hk_arena_free (HkArena *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkArena, hk_arena_free)

#endif
