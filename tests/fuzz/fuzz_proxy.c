/* fuzz_proxy.c: PROXY protocol headers: bounded, and a prefix never says otherwise. */
#include "config.h"

#include "net/proxy.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    HkProxyHeader header, part;
    HkSpan input = hk_span (data, size);
    HkProxyProgress progress = hk_proxy_parse (input, &header);
    if (progress == HK_PROXY_BAD)
        g_assert (header.error != NULL);
    if (progress == HK_PROXY_MORE)
        g_assert (size < HK_PROXY_MAX);
    if (progress != HK_PROXY_DONE)
        return 0;
    g_assert (header.size > 0 && header.size <= size && header.size <= HK_PROXY_MAX);
    for (size_t n = 0; n < header.size; n += 1 + n / 8)
        g_assert (hk_proxy_parse (hk_span_sub (input, 0, n), &part) == HK_PROXY_MORE);
    if (header.has_addresses)
        g_assert (header.client.storage.ss_family == header.server.storage.ss_family);
    return 0;
}
