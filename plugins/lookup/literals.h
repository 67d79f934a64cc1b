/* literals.h: what a key must contain for a pattern to match, found in the pattern's text.
 *
 * Of the characters that stand for themselves, pairs of neighbours are kept as numbers in a
 * small set, without regard to case.  A key whose set lacks one of a pattern's pairs cannot
 * match, and the pattern need not be run; most patterns of a long table end here.  Of a
 * pattern with several branches, "a|b", each has its pairs, and one of them is enough.
 * Whatever is not understood gives no pairs: the pattern is always run then.  Static
 * functions only. */
#ifndef HK_PLUGINS_LOOKUP_LITERALS_H
#define HK_PLUGINS_LOOKUP_LITERALS_H

#include <hikyaku/plugin.h>

#include <glib.h>
#include <stdbool.h>
#include <string.h>

enum {
    LITERALS_BITS = 1024,
    LITERALS_KEPT = 8, /* pairs of one branch */
    LITERALS_SEEN = 128,
    LITERALS_BRANCHES = 64, /* a pattern with more is always run */
};

typedef enum {
    LITERALS_PERL, /* a backslash in brackets takes the next character */
    LITERALS_POSIX /* it stands for itself there */
} LiteralsSyntax;

typedef struct {
    guint16 pairs[LITERALS_KEPT];
    guint8 n;
} LiteralsBranch;

typedef struct {
    LiteralsBranch *branches;
    guint8 n; /* 0: always run it */
} Literals;

typedef struct {
    guint64 set[LITERALS_BITS / 64];
} LiteralsKey;

static inline guint16
literals_pair (guint8 a, guint8 b)
{
    a = (guint8) g_ascii_tolower ((char) a);
    b = (guint8) g_ascii_tolower ((char) b);
    return (guint16) ((a * 37u + b) % LITERALS_BITS);
}

static inline void
literals_key (LiteralsKey *self, HkSpan key)
{
    memset (self, 0, sizeof *self);
    for (size_t i = 1; i < key.size; i++) {
        guint16 pair = literals_pair (key.data[i - 1], key.data[i]);
        self->set[pair / 64] |= (guint64) 1 << (pair % 64);
    }
}

static inline bool
literals_branch_is_in (const LiteralsBranch *self, const LiteralsKey *key)
{
    for (guint i = 0; i < self->n; i++) {
        guint16 pair = self->pairs[i];
        if ((key->set[pair / 64] >> (pair % 64) & 1) == 0)
            return false;
    }
    return true;
}

/* False: the key does not match. */
static inline bool
literals_may_match (const Literals *self, const LiteralsKey *key)
{
    for (guint i = 0; i < self->n; i++)
        if (literals_branch_is_in (&self->branches[i], key))
            return true;
    return self->n == 0;
}

typedef struct {
    const char *p, *end;
    LiteralsSyntax syntax;
    int depth;     /* of parentheses */
    int previous;  /* the character before, which stands for itself; -1: none */
    bool is_shaky; /* the last pair counts only if no quantifier takes it back */
    guint16 pairs[LITERALS_SEEN]; /* of this branch */
    guint n;
    LiteralsBranch branches[LITERALS_BRANCHES];
    guint n_branches;
} LiteralsScan;

/* C stands for itself. */
static inline void
literals_take (LiteralsScan *self, char c)
{
    bool is_pair = self->depth == 0 && self->previous >= 0 && self->n < LITERALS_SEEN;
    if (is_pair)
        self->pairs[self->n++] = literals_pair ((guint8) self->previous, (guint8) c);
    self->is_shaky = is_pair;
    self->previous = (guint8) c;
}

static inline void
literals_break (LiteralsScan *self)
{
    self->previous = -1;
    self->is_shaky = false;
}

/* A quantifier that may take the character before it away. */
static inline void
literals_take_back (LiteralsScan *self)
{
    if (self->is_shaky)
        self->n--;
    literals_break (self);
}

/* After a backslash.  False: not understood. */
static inline bool
literals_escape (LiteralsScan *self)
{
    if (self->p == self->end)
        return false;
    char c = *self->p++;
    if (g_ascii_isdigit (c))
        while (self->p < self->end && g_ascii_isdigit (*self->p))
            self->p++;
    else if (!g_ascii_isalpha (c) && strchr ("<>`'{}()|+?", c) == NULL) {
        literals_take (self, c);
        return true;
    } else if (g_ascii_isalpha (c) && strchr ("dDwWsSbBAzZ", c) == NULL)
        return false;
    literals_break (self);
    return true;
}

/* After '['; moves behind the ']' that closes it.  False: not understood. */
static inline bool
literals_class (LiteralsScan *self)
{
    const char *p = self->p;
    if (p < self->end && *p == '^')
        p++;
    if (p < self->end && *p == ']')
        p++;
    for (; p < self->end && *p != ']'; p++) {
        if (*p == '\\' && self->syntax == LITERALS_PERL && ++p == self->end)
            return false;
        if (*p != '[' || p + 1 == self->end || strchr (":.=", p[1]) == NULL)
            continue;
        for (char kind = p[1], *q = (char *) p + 2;; q++) {
            if (q + 1 >= self->end)
                return false;
            if (*q == kind && q[1] == ']') {
                p = q + 1;
                break;
            }
        }
    }
    self->p = p + 1;
    literals_break (self);
    return p < self->end;
}

/* After '('.  False: not understood. */
static inline bool
literals_open (LiteralsScan *self)
{
    if (self->p < self->end && *self->p == '*')
        return false; /* a verb */
    if (self->p < self->end && *self->p == '?') {
        if (++self->p == self->end || strchr (":=!", *self->p) == NULL)
            return false;
        self->p++;
    }
    self->depth++;
    literals_break (self);
    return true;
}

static inline bool
literals_braces (LiteralsScan *self)
{
    const char *close = memchr (self->p, '}', (size_t) (self->end - self->p));
    if (close == NULL)
        return false;
    self->p = close + 1;
    literals_take_back (self);
    return true;
}

/* False: without a pair it may match anything, or there are too many branches. */
static inline bool
literals_end_branch (LiteralsScan *self)
{
    if (self->n == 0 || self->n_branches == LITERALS_BRANCHES)
        return false;
    LiteralsBranch *branch = &self->branches[self->n_branches++];
    branch->n = (guint8) MIN (self->n, LITERALS_KEPT);
    for (guint i = 0; i < branch->n; i++) /* evenly from all of it, the end included */
        branch->pairs[i] = self->pairs[self->n - 1 - i * self->n / branch->n];
    self->n = 0;
    return true;
}

/* One item of the pattern.  False: not understood. */
static inline bool
literals_step (LiteralsScan *self)
{
    char c = *self->p++;
    switch (c) {
    case '\\':
        return literals_escape (self);
    case '[':
        return literals_class (self);
    case '(':
        return literals_open (self);
    case '{':
        return literals_braces (self);
    case '|':
        literals_break (self);
        return self->depth > 0 || literals_end_branch (self);
    case ')':
        literals_break (self);
        return --self->depth >= 0;
    case '?':
    case '*':
        literals_take_back (self);
        return true;
    case '+': /* another quantifier may follow */
        self->previous = -1;
        return true;
    case '.':
    case '^':
    case '$':
        literals_break (self);
        return true;
    default:
        literals_take (self, c);
        return true;
    }
}

/* The pairs of PATTERN, in which blanks and '#' stand for themselves. */
static inline void
literals_find (Literals *out, HkSpan pattern, LiteralsSyntax syntax)
{
    const char *begin = (const char *) pattern.data;
    LiteralsScan scan = {
        .p = begin, .end = begin + pattern.size, .syntax = syntax, .previous = -1};
    *out = (Literals){0};
    while (scan.p < scan.end)
        if (!literals_step (&scan))
            return;
    if (!literals_end_branch (&scan))
        return;
    out->n = (guint8) scan.n_branches;
    out->branches = g_memdup2 (scan.branches, scan.n_branches * sizeof scan.branches[0]);
}

static inline void
literals_clear (Literals *self)
{
    g_clear_pointer (&self->branches, g_free);
    self->n = 0;
}

#endif
