/* lookup_example.c: "example:" tables: a directory with one file for each key.
 *
 * SPDX-License-Identifier: 0BSD */
#include <hikyaku/lookup.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const HkHost *host;
    char *directory;
    size_t limit; /* bytes of a value */
} ExampleTable;

/* The text after "example:" is the directory.  HK_OK, HK_LATER or HK_BROKEN. */
static HkAnswer
example_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf);
    if (argument.size == 0 || argument.data[0] != '/')
        return host->broken (call, "expected example:/DIRECTORY, found example:%.*s",
                             (int) argument.size, (const char *) argument.data);
    ExampleTable *self = malloc (sizeof *self);
    char *directory = malloc (argument.size + 1);
    if (self == NULL || directory == NULL) {
        free (self);
        free (directory);
        return host->later (call, "out of memory");
    }
    memcpy (directory, argument.data, argument.size);
    directory[argument.size] = '\0';
    self->host = host;
    self->directory = directory;
    self->limit = (size_t) host->conf_int (conf, "example_size_limit");
    *out_instance = self;
    return HK_OK;
}

static void
example_close (void *instance)
{
    ExampleTable *self = instance;
    free (self->directory);
    free (self);
}

/* A key comes from a stranger: it must not leave the directory. */
static int
is_safe (HkSpan key)
{
    return key.size > 0 && key.size < 255 && key.data[0] != '.' &&
           memchr (key.data, '/', key.size) == NULL;
}

/* The value: the first line of the file. */
static HkAnswer
answer_line (ExampleTable *self, HkCall *call, FILE *file, const char *path)
{
    char *line = malloc (self->limit + 1);
    HkAnswer answer = HK_FOUND;
    if (line == NULL)
        return self->host->later (call, "out of memory");
    if (fgets (line, (int) self->limit + 1, file) == NULL)
        answer = self->host->later (call, "%s: %s", path,
                                    ferror (file) ? strerror (errno) : "empty file");
    else
        self->host->answer (call, line, strcspn (line, "\n"));
    free (line);
    return answer;
}

static HkAnswer
example_get (void *instance, HkCall *call, HkSpan key)
{
    ExampleTable *self = instance;
    char path[4096];
    if (!is_safe (key))
        return HK_ABSENT;
    if (snprintf (path, sizeof path, "%s/%.*s", self->directory, (int) key.size,
                  (const char *) key.data) >= (int) sizeof path)
        return HK_ABSENT;
    FILE *file = fopen (path, "re");
    if (file == NULL)
        return errno == ENOENT ? HK_ABSENT
                               : self->host->later (call, "%s: %s", path, strerror (errno));
    HkAnswer answer = answer_line (self, call, file, path);
    fclose (file);
    return answer;
}

static const HkParam example_params[] = {
    {"example_size_limit", HK_PARAM_SIZE, HK_PARAM_RELOADABLE, "1024", 1, 65536, NULL,
     "Longest value in bytes; what is longer is cut."},
    {0},
};

static const HkLookupClass example_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "example",
             .flags = HK_THREAD_SAFE | HK_MAY_BLOCK, /* files may be on a slow disk */
             .params = example_params,
             .open = example_open,
             .close = example_close},
    .get = example_get,
};

HK_PLUGIN (lookup_example, .version = "1.0", .licence = "0BSD",
           .summary = "example: tables, one file for each key",
           .classes = HK_CLASSES (&example_class.base))
