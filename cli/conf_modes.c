/* conf_modes.c: the command line of `hikyaku conf`: switches, and which go together. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/conf.h"

static const char letters[] = "aAbdefFhHlmMnopPtTxX#"; /* bit I is letters[I] */

/* What shuts each other out; all that were given are named. */
#define KINDS                                                                              \
    (CONF_SASL_IN | CONF_SASL_OUT | CONF_NOTICES | CONF_FIELDS | CONF_LOCKS | CONF_MAPS |  \
     CONF_MASTER | CONF_MAIN | CONF_OPTIONS | CONF_TEMPLATES | CONF_TLS)
static const int exclusive[] = {
    KINDS,
    CONF_DEFAULT | CONF_EDIT | CONF_SET | CONF_EXCLUDE | CONF_COMMENT,
    CONF_DEFAULT | CONF_EDIT | CONF_OVERRIDE | CONF_EXCLUDE | CONF_COMMENT,
    CONF_EDIT | CONF_FOLD | CONF_EXCLUDE | CONF_COMMENT,
    CONF_EDIT | CONF_NO_NAME | CONF_NO_VALUE | CONF_EXCLUDE | CONF_COMMENT,
    CONF_EDIT | CONF_EXPAND | CONF_EXCLUDE | CONF_COMMENT};

/* What each kind of thing that is shown or changed allows; -p allows all. */
#define SHOWN (CONF_FOLD | CONF_OVERRIDE | CONF_EXPAND)
static const struct {
    int kind, allowed;
} allowed[] = {
    {CONF_MASTER, SHOWN | CONF_CHANGES},
    {CONF_FIELDS, SHOWN | CONF_EDIT | CONF_NO_NAME | CONF_NO_VALUE},
    {CONF_OPTIONS, SHOWN | CONF_EDIT | CONF_EXCLUDE | CONF_NO_NAME | CONF_NO_VALUE},
    {CONF_SASL_IN | CONF_SASL_OUT | CONF_NOTICES | CONF_LOCKS | CONF_MAPS | CONF_TEMPLATES |
         CONF_TLS,
     0}};

static int
usage (const HkConfTool *self)
{
    return hk_conf_tool_fail (
        self,
        "usage: %s [-c directory] [-pdnhHxf] [-C builtin|service|user|all] "
        "[-o name=value] [--origin] [name ...], -e name=value ..., -X name ..., "
        "-# name ..., -M|-F|-P [service[/type[/field or parameter]] ...], "
        "-M|-F|-P -e ...=value, -MX|-M#|-PX ..., -m (table types), -l (lock methods), "
        "-a|-A (SASL types), -b|-t [file] (texts of notices), "
        "-T compile-version|run-version|public-key-algorithms",
        self->program);
}

static char
letter_of (int bit)
{
    return letters[__builtin_ctz ((unsigned) bit)];
}

static int
check_exclusive (const HkConfTool *self)
{
    for (size_t i = 0; i < G_N_ELEMENTS (exclusive); i++) {
        g_autoptr (GString) given = g_string_new (NULL);
        int both = self->modes & exclusive[i];
        if ((both & (both - 1)) == 0)
            continue;
        for (; both != 0; both &= both - 1)
            g_string_append_printf (given, " -%c", letter_of (both & -both));
        return hk_conf_tool_fail (self, "specify one of%s", given->str);
    }
    return 0;
}

static int
check_allowed (const HkConfTool *self)
{
    for (size_t i = 0; i < G_N_ELEMENTS (allowed); i++) {
        int kind = self->modes & allowed[i].kind;
        int wrong = self->modes & ~(KINDS | allowed[i].allowed);
        if (kind != 0 && wrong != 0)
            return hk_conf_tool_fail (self, "with option -%c, do not specify -%c",
                                      letter_of (kind), letter_of (wrong & -wrong));
    }
    return 0;
}

static int
take_class (HkConfTool *self, const char *text)
{
    g_auto (GStrv) words = g_strsplit_set (text, " ,", -1);
    self->class_builtin = self->class_service = self->class_user = false;
    for (size_t i = 0; words[i] != NULL; i++) {
        bool is_all = strcmp (words[i], "all") == 0;
        bool builtin = strcmp (words[i], "builtin") == 0;
        bool service = strcmp (words[i], "service") == 0;
        bool user = strcmp (words[i], "user") == 0;
        if (words[i][0] != '\0' && !is_all && !builtin && !service && !user)
            return hk_conf_tool_fail (self, "unknown -C option value \"%s\" in \"%s\"",
                                      words[i], text);
        self->class_builtin |= is_all || builtin;
        self->class_service |= is_all || service;
        self->class_user |= is_all || user;
    }
    return 0;
}

static int
take_switch (HkConfTool *self, int c)
{
    const char *at = strchr (letters, c);
    if (c == 'c') {
        g_free (self->dir);
        self->dir = g_strdup (optarg);
        self->dir_was_given = true;
    } else if (c == 'C') {
        return take_class (self, optarg);
    } else if (c == 'O') {
        self->show_origin = true;
    } else if (c != '?' && c != ':' && at != NULL) {
        if (c == 'o')
            g_ptr_array_add (self->overrides, optarg);
        if (c == 'T')
            self->tls_mode = optarg;
        self->modes |= 1 << (at - letters);
    } else if (c != 'v') {
        if (c == ':')
            fprintf (stderr, "%s: option requires an argument -- '%c'\n", self->program,
                     optopt);
        else if (optopt != 0)
            fprintf (stderr, "%s: invalid option -- '%c'\n", self->program, optopt);
        return usage (self);
    }
    return 0;
}

int
hk_conf_tool_parse (HkConfTool *self, int argc, char **argv)
{
    /* A long name can be none of Postfix's: its switches are letters. */
    static const struct option long_names[] = {{"origin", no_argument, NULL, 'O'},
                                               {NULL, 0, NULL, 0}};
    int c, status = 0;
    optind = 0; /* a full reset: no scan of an earlier command line goes on */
    opterr = 0;
    while (status == 0 && (c = getopt_long (argc, argv, "+:aAbc:C:deEfFhHlmMno:pPtT:vxX#",
                                            long_names, NULL)) != -1)
        status = take_switch (self, c);
    if (status != 0)
        return status;
    /* a value among the arguments means -e */
    int not_edited = KINDS & ~(CONF_MASTER | CONF_FIELDS | CONF_OPTIONS | CONF_MAIN);
    if (optind < argc && strchr (argv[optind], '=') != NULL && !(self->modes & not_edited))
        self->modes |= CONF_EDIT;
    status = check_exclusive (self);
    return status != 0 ? status : check_allowed (self);
}
