/* bytes.c: spans and the arena. */
#include "config.h"

#include "base/bytes.h"

bool
hk_span_equal_ci (HkSpan a, HkSpan b)
{
    return a.size == b.size
           && (a.size == 0
               || g_ascii_strncasecmp ((const char *) a.data, (const char *) b.data, a.size) == 0);
}

bool
hk_span_starts_ci (HkSpan s, HkSpan prefix)
{
    return s.size >= prefix.size && hk_span_equal_ci (hk_span_sub (s, 0, prefix.size), prefix);
}

bool
hk_span_is_ci (HkSpan s, const char *text)
{
    return hk_span_equal_ci (s, hk_span_text (text));
}

size_t
hk_span_rfind (HkSpan s, uint8_t byte)
{
    const uint8_t *p = s.size == 0 ? NULL : memrchr (s.data, byte, s.size);
    return p == NULL ? s.size : (size_t) (p - s.data);
}

bool
hk_span_has_line_break (HkSpan s)
{
    return s.size > 0
           && (memchr (s.data, '\n', s.size) != NULL || memchr (s.data, '\r', s.size) != NULL
               || memchr (s.data, '\0', s.size) != NULL);
}

static bool
is_blank (uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

HkSpan
hk_span_strip (HkSpan s)
{
    while (s.size > 0 && is_blank (s.data[0])) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 && is_blank (s.data[s.size - 1]))
        s.size--;
    return s;
}

char *
hk_span_dup_lower (HkSpan s)
{
    return g_ascii_strdown ((const char *) s.data, (gssize) s.size);
}

guint
hk_span_hash_ci (HkSpan s)
{
    guint h = 5381;
    for (size_t i = 0; i < s.size; i++)
        h = h * 33 + (guint) g_ascii_tolower ((char) s.data[i]);
    return h;
}

/* ---- arena ---- */

typedef struct Block Block;
struct Block {
    Block *next;
    size_t size, used;
    uint8_t data[] __attribute__ ((aligned (16)));
};

struct HkArena {
    Block *first; /* kept by reset */
    Block *last;
};

static Block *
block_new (size_t size)
{
    Block *b = g_malloc (sizeof *b + size);
    b->next = NULL;
    b->size = size;
    b->used = 0;
    return b;
}

HkArena *
hk_arena_new (size_t first_block)
{
    HkArena *self = g_new (HkArena, 1);
    self->first = self->last = block_new (MAX (first_block, (size_t) 64));
    return self;
}

void *
hk_arena_alloc (HkArena *self, size_t size)
{
    size_t need = (size + 15) & ~(size_t) 15;
    if (need < size)
        g_error ("arena: size overflow");
    Block *b = self->last;
    if (b->size - b->used < need) {
        Block *more = block_new (MAX (need, b->size));
        b->next = more;
        self->last = b = more;
    }
    void *p = b->data + b->used;
    b->used += need;
    return p;
}

HkSpan
hk_arena_copy (HkArena *self, HkSpan s)
{
    uint8_t *p = hk_arena_alloc (self, s.size + 1);
    if (s.size > 0)
        memcpy (p, s.data, s.size);
    p[s.size] = 0;
    return hk_span (p, s.size);
}

static void
free_blocks (Block *b)
{
    while (b != NULL) {
        Block *next = b->next;
        g_free (b);
        b = next;
    }
}

void
hk_arena_reset (HkArena *self)
{
    free_blocks (self->first->next);
    self->first->next = NULL;
    self->first->used = 0;
    self->last = self->first;
}

HkArenaMark
hk_arena_mark (const HkArena *self)
{
    return (HkArenaMark){self->last, self->last->used};
}

bool
hk_arena_is_at (const HkArena *self, HkArenaMark mark)
{
    return self->last == mark.block && self->last->used == mark.used;
}

void
hk_arena_rewind (HkArena *self, HkArenaMark mark)
{
    self->last = mark.block;
    free_blocks (self->last->next);
    self->last->next = NULL;
    self->last->used = mark.used;
}

size_t
hk_arena_used (const HkArena *self)
{
    size_t n = 0;
    for (const Block *b = self->first; b != NULL; b = b->next)
        n += b->used;
    return n;
}

void
hk_arena_free (HkArena *self)
{
    if (self == NULL)
        return;
    free_blocks (self->first);
    g_free (self);
}
