/* textfile.h: help for plugins whose tables are text: logical lines, keys and values, "has
 * the file changed".
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Header-only, not part of the binary interface: what you compile is yours.  POSIX.  The
 * syntax is postmap(1)'s: lines that begin with '#' (after blanks) and blank lines are
 * skipped; a line that begins with a blank continues the one before, whatever was skipped
 * between. */
#ifndef HIKYAKU_TEXTFILE_H
#define HIKYAKU_TEXTFILE_H

#include <hikyaku/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- which file, in which state: cheap to ask, finer than a second */

typedef struct HkFileState {
    uint64_t device, inode, size;
    int64_t change_s, change_ns; /* of data */
} HkFileState;

static inline void
hk_file_state_from (HkFileState *self, const struct stat *st)
{
    self->device = (uint64_t) st->st_dev;
    self->inode = (uint64_t) st->st_ino;
    self->size = (uint64_t) st->st_size;
    self->change_s = (int64_t) st->st_mtim.tv_sec;
    self->change_ns = (int64_t) st->st_mtim.tv_nsec;
}

/* 0, or errno; then *OUT is empty. */
static inline int
hk_file_state (const char *path, HkFileState *out)
{
    struct stat st;
    memset (out, 0, sizeof *out);
    if (stat (path, &st) < 0)
        return errno;
    hk_file_state_from (out, &st);
    return 0;
}

static inline int
hk_file_state_same (const HkFileState *a, const HkFileState *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->change_s == b->change_s && a->change_ns == b->change_ns;
}

/* The whole regular file, at most LIMIT bytes, into malloc-ed memory; STATE is of what was
 * read.  0, or errno (EFBIG: over LIMIT; EINVAL: not a regular file). */
static inline int
hk_file_read (const char *path, size_t limit, char **out_data, size_t *out_size,
              HkFileState *out_state)
{
    struct stat st;
    char *data = NULL;
    size_t n = 0, room;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), e = 0;
    if (fd < 0)
        return errno;
    if (fstat (fd, &st) < 0)
        e = errno;
    else if (!S_ISREG (st.st_mode))
        e = EINVAL;
    else if ((uint64_t) st.st_size > limit)
        e = EFBIG;
    room = e == 0 ? (size_t) st.st_size + 1 : 0;
    if (e == 0 && (data = (char *) malloc (room)) == NULL)
        e = ENOMEM;
    while (e == 0 && n < room) {
        ssize_t got = read (fd, data + n, room - n);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            e = errno;
        else if (got > 0)
            n += (size_t) got;
    }
    if (e == 0 && n == room)
        e = EAGAIN; /* it grew while it was read */
    close (fd);
    if (e != 0) {
        free (data);
        return e;
    }
    hk_file_state_from (out_state, &st);
    *out_data = data;
    *out_size = n;
    return 0;
}

/* ---- logical lines, in place: DATA is written to */

typedef struct HkLines {
    char *at, *end;
    uint32_t line; /* number of the physical line that `at` is in; the first is 1 */
} HkLines;

static inline int
hk_is_blank (char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static inline HkSpan
hk_strip_blanks (const char *p, const char *end)
{
    HkSpan s;
    while (p < end && (hk_is_blank (*p) || *p == '\n'))
        p++;
    while (end > p && (hk_is_blank (end[-1]) || end[-1] == '\n'))
        end--;
    s.data = (const uint8_t *) p;
    s.size = (size_t) (end - p);
    return s;
}

/* One physical line without its end; moves on.  0: no more. */
static inline int
hk_lines_physical (HkLines *self, char **out_begin, char **out_end)
{
    char *nl;
    if (self->at >= self->end)
        return 0;
    nl = (char *) memchr (self->at, '\n', (size_t) (self->end - self->at));
    *out_begin = self->at;
    *out_end = nl == NULL ? self->end : nl;
    self->at = nl == NULL ? self->end : nl + 1;
    self->line++;
    return 1;
}

/* Next logical line.  OUT_LINE: number of its first line.  Returns 1; 0 at the end; -1 for
 * a line that begins with a blank where nothing is to be continued (OUT is that line). */
static inline int
hk_lines_next (HkLines *self, HkSpan *out, uint32_t *out_line)
{
    char *begin, *end, *tail = NULL;
    const char *first = NULL;
    *out_line = self->line;
    for (;;) {
        HkLines before = *self;
        HkSpan text;
        if (!hk_lines_physical (self, &begin, &end))
            break;
        text = hk_strip_blanks (begin, end);
        if (text.size == 0 || text.data[0] == '#')
            continue;
        if (first == NULL) {
            *out_line = before.line;
            first = begin;
            tail = end;
            if (hk_is_blank (*begin)) {
                out->data = (const uint8_t *) begin;
                out->size = (size_t) (end - begin);
                return -1;
            }
        } else if (hk_is_blank (*begin)) {
            memmove (tail, begin, (size_t) (end - begin));
            tail += end - begin;
        } else {
            *self = before;
            break;
        }
    }
    if (first == NULL)
        return 0;
    while (tail > first && hk_is_blank (tail[-1]))
        tail--;
    out->data = (const uint8_t *) first;
    out->size = (size_t) (tail - first);
    return 1;
}

static inline HkLines
hk_lines (char *data, size_t size)
{
    HkLines self;
    self.at = data;
    self.end = data + size;
    self.line = 1;
    return self;
}

enum { /* hk_lines_pair */
       HK_PAIR_OK = 0,
       HK_PAIR_NO_VALUE = 1,  /* "key" alone */
       HK_PAIR_UNBALANCED = 2 /* a quote that does not end */
};

/* "key value" of a logical line.  A key may stand in double quotes, which stay part of it.
 */
static inline int
hk_lines_pair (HkSpan line, HkSpan *out_key, HkSpan *out_value)
{
    const char *p = (const char *) line.data, *end = p + line.size, *key = p;
    int quoted = 0;
    for (; p < end && (quoted || !hk_is_blank (*p)); p++) {
        if (*p == '\\' && quoted && p + 1 < end)
            p++;
        else if (*p == '"')
            quoted = !quoted;
    }
    out_key->data = (const uint8_t *) key;
    out_key->size = (size_t) (p - key);
    *out_value = hk_strip_blanks (p, end);
    if (quoted)
        return HK_PAIR_UNBALANCED;
    return out_value->size == 0 ? HK_PAIR_NO_VALUE : HK_PAIR_OK;
}

/* ---- "{ {rule}, {rule} }": rules written in the table's name */

/* Where the brace at P[0] is closed; NULL: it is not. */
static inline const char *
hk_brace_end (const char *p, const char *end)
{
    int depth = 0;
    for (; p < end; p++) {
        if (*p == '{')
            depth++;
        else if (*p == '}' && --depth == 0)
            return p;
    }
    return NULL;
}

/* Turn "{ {a b}, {c d} }" into the text "a b\nc d\n" (malloc-ed).  0, or a static text that
 * says what is wrong. */
static inline const char *
hk_lines_from_braces (HkSpan spec, char **out_data, size_t *out_size)
{
    HkSpan s =
        hk_strip_blanks ((const char *) spec.data, (const char *) spec.data + spec.size);
    const char *p = (const char *) s.data, *end = p + s.size;
    char *data;
    size_t n = 0;
    if (s.size == 0 || *p != '{' || hk_brace_end (p, end) != end - 1)
        return "missing '}' at the end of the rules";
    data = (char *) malloc (s.size + 1);
    if (data == NULL)
        return "out of memory";
    for (p++, end--; p < end;) {
        const char *close;
        HkSpan rule;
        if (hk_is_blank (*p) || *p == ',' || *p == '\n') {
            p++;
            continue;
        }
        close = *p == '{' ? hk_brace_end (p, end) : NULL;
        if (close == NULL) {
            free (data);
            return *p == '{' ? "missing '}' after a rule"
                             : "a rule must stand in '{' and '}'";
        }
        rule = hk_strip_blanks (p + 1, close);
        if (rule.size > 0)
            memcpy (data + n, rule.data, rule.size);
        n += rule.size;
        data[n++] = '\n';
        p = close + 1;
    }
    *out_data = data;
    *out_size = n;
    return NULL;
}

#ifdef __cplusplus
}
#endif
#endif
