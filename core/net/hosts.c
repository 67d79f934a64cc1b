/* hosts.c: reads a hosts file. */
#include "config.h"
#include "net/hosts.h"

#include <fcntl.h>
#include <unistd.h>

enum { FILE_MAX_SIZE = 4 * 1024 * 1024, NAME_MAX_SIZE = 255 };

struct HkHosts {
    GHashTable *by_name;    /* lower-case name: GArray of HkAddress */
    GHashTable *by_address; /* text: first name */
};

static void
free_array (gpointer array)
{
    g_array_unref (array);
}

static HkSpan
next_word (HkSpan *line)
{
    size_t begin = 0, end;
    while (begin < line->size && g_ascii_isspace (line->data[begin]))
        begin++;
    for (end = begin; end < line->size && !g_ascii_isspace (line->data[end]); end++)
        ;
    HkSpan word = hk_span_sub (*line, begin, end - begin);
    *line = hk_span_sub (*line, end, line->size);
    return word;
}

static void
add_name (HkHosts *self, const HkAddress *address, const char *ip, HkSpan word)
{
    if (word.size > NAME_MAX_SIZE || memchr (word.data, '\0', word.size) != NULL)
        return;
    g_autofree char *name = hk_span_dup_lower (word);
    if (!g_hash_table_contains (self->by_address, ip))
        g_hash_table_insert (self->by_address, g_strdup (ip), g_strdup (name));
    GArray *addresses = g_hash_table_lookup (self->by_name, name);
    if (addresses == NULL) {
        addresses = g_array_new (FALSE, FALSE, sizeof (HkAddress));
        g_hash_table_insert (self->by_name, g_steal_pointer (&name), addresses);
    }
    g_array_append_val (addresses, *address);
}

static void
read_line (HkHosts *self, HkSpan line)
{
    HkAddress address;
    char ip[64];
    line = hk_span_sub (line, 0, hk_span_find (line, '#', 0));
    if (!hk_address_parse_ip (next_word (&line), 0, &address))
        return;
    hk_address_text (&address, ip);
    for (HkSpan word = next_word (&line); word.size > 0; word = next_word (&line))
        add_name (self, &address, ip, word);
}

HkHosts *
hk_hosts_from_text (HkSpan text)
{
    HkHosts *self = g_new0 (HkHosts, 1);
    self->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_array);
    self->by_address = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    while (text.size > 0) {
        size_t lf = hk_span_find (text, '\n', 0);
        read_line (self, hk_span_sub (text, 0, lf));
        text = hk_span_sub (text, lf + 1, text.size);
    }
    return self;
}

HkHosts *
hk_hosts_read (const char *path)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    g_autoptr (GByteArray) bytes = g_byte_array_new ();
    uint8_t chunk[8192];
    ssize_t n;
    while (bytes->len < FILE_MAX_SIZE && (n = read (fd, chunk, sizeof chunk)) > 0)
        g_byte_array_append (bytes, chunk, (guint) n);
    close (fd);
    return hk_hosts_from_text (hk_span (bytes->data, bytes->len));
}

void
hk_hosts_free (HkHosts *self)
{
    if (self == NULL)
        return;
    g_hash_table_unref (self->by_name);
    g_hash_table_unref (self->by_address);
    g_free (self);
}

const GArray *
hk_hosts_addresses (const HkHosts *self, const char *name)
{
    if (self == NULL)
        return NULL;
    g_autofree char *lower = g_ascii_strdown (name, -1);
    return g_hash_table_lookup (self->by_name, lower);
}

const char *
hk_hosts_name (const HkHosts *self, const HkAddress *address)
{
    char ip[64];
    if (self == NULL)
        return NULL;
    hk_address_text (address, ip);
    return g_hash_table_lookup (self->by_address, ip);
}
