/* fuzz_address.c: SMTP paths and header address lists: any bytes; what is accepted is
 * canonical and survives being read again. */
#include "config.h"

#include "mail/address.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static HkArena *arena;

static void
check_canonical (HkSpan address)
{
    HkSpan again, rest, local, domain, user, extension;
    g_assert (!hk_span_has_line_break (address));
    g_autoptr (GString) text = g_string_new ("<");
    hk_string_append (text, address);
    g_string_append_c (text, '>');
    HkPathResult result = hk_path_parse (
        hk_span_string (text), HK_PATH_ALLOW_UTF8 | HK_PATH_STRICT | HK_PATH_ALLOW_MIN_USER,
        arena, &again, &rest);
    g_assert (result == HK_PATH_OK);
    g_assert (hk_span_equal (address, again));
    hk_address_split (address, &local, &domain);
    g_assert (local.size > 0);
    hk_address_split_extension (local, "+-", &user, &extension);
    g_autoptr (GString) raw = g_string_new (NULL);
    g_autoptr (GString) quoted = g_string_new (NULL);
    hk_local_unquote (local, raw);
    hk_local_quote (hk_span_string (raw), quoted);
    g_assert (hk_span_equal (hk_span_string (quoted), local));
}

static void
on_address (HkSpan address, void *data)
{
    unsigned *n = data;
    ++*n;
    check_canonical (address);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (arena == NULL)
        arena = hk_arena_new (4096);
    hk_arena_reset (arena);
    HkSpan text = hk_span (data + 1, size - 1), address, rest;
    HkPathResult result = hk_path_parse (text, data[0] & 15, arena, &address, &rest);
    if (result == HK_PATH_OK) {
        if (address.size > 0)
            check_canonical (address);
        else
            g_assert ((data[0] & HK_PATH_ALLOW_EMPTY) != 0);
        g_assert (rest.size <= text.size);
        if ((data[0] & HK_PATH_ALLOW_UTF8) == 0)
            g_assert (hk_address_is_ascii (address));
    }
    unsigned n = 0;
    hk_address_list_parse (text, on_address, &n);
    g_assert (n <= size);
    hk_domain_is_valid (text, true);
    hk_domain_is_literal (text);
    hk_address_split (text, &address, &rest);
    return 0;
}
