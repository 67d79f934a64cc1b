/* fuzz_intake_headers.c: the header section of any message: walked, rewritten, completed,
 * laid out.  The body comes out as it went in; nothing is laid out twice. */
#include "config.h"

#include "intake/intake_priv.h"

#include "host/host.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static HkIntake *intake;

static HkIntake *
make_intake (void)
{
    static char *drop[] = {(char *) "bcc", (char *) "content-length", NULL};
    static char *masquerade[] = {(char *) "fuzz.test", NULL}, *none[] = {NULL};
    g_autoptr (GError) error = NULL;
    hk_conf_register (hk_base_params);
    hk_conf_register (hk_host_params);
    hk_conf_register (hk_route_params);
    HkSettings *settings = hk_settings_from_text (
        "myhostname = mx.fuzz.test\nmyorigin = fuzz.test\nmydestination = fuzz.test\n"
        "local_recipient_maps =\nalias_maps =\ninet_interfaces = 127.0.0.1\n",
        "", &error);
    g_assert_no_error (error);
    HkPlugins *plugins = hk_plugins_new ("/nonexistent", NULL, NULL);
    hk_plugins_set_settings (plugins, settings);
    HkIntake *self = g_new0 (HkIntake, 1);
    self->router = hk_router_new (plugins, settings, &error);
    g_assert_no_error (error);
    for (int i = 0; i < HK_N_CANONICAL; i++)
        self->canonical[i].maps =
            hk_maps_open (plugins, settings, "canonical_maps", "", NULL);
    self->drop_headers = drop;
    self->masquerade_domains = masquerade;
    self->masquerade_exceptions = none;
    self->masquerade_classes = HK_CLASS_HEADER_SENDER | HK_CLASS_HEADER_RECIPIENT;
    self->myhostname = "mx.fuzz.test";
    self->undisclosed = "";
    self->header_size_limit = 200;
    self->has_mappings = true;
    return self;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    HkSpan content = hk_span (data, size);
    if (intake == NULL)
        intake = make_intake ();
    HkIncoming self = {.intake = intake,
                       .arena = hk_arena_new (4096),
                       .adds_missing = true,
                       .is_local_rewrite = true,
                       .received = HK_SPAN ("Received: us\r\n"),
                       .text = ""};
    self.pieces = g_array_new (FALSE, FALSE, sizeof (HkSpan));
    hk_scan_feed (&self.scan, content);
    hk_headers_walk (&self, content);
    hk_headers_complete (&self);
    hk_headers_lay_out (&self, content);
    g_assert (self.facts.end <= size);
    if (self.facts.end < size) {
        HkSpan last = g_array_index (self.pieces, HkSpan, self.pieces->len - 1);
        g_assert (last.data == data + self.facts.end && last.size == size - self.facts.end);
    }
    for (guint i = 0; i < self.pieces->len; i++) { /* every byte can be read */
        HkSpan piece = g_array_index (self.pieces, HkSpan, i);
        volatile uint8_t sum = 0;
        for (size_t k = 0; k < piece.size; k++)
            sum ^= piece.data[k];
        (void) sum;
    }
    g_array_unref (self.pieces);
    if (self.rewritten != NULL)
        g_array_unref (self.rewritten);
    g_string_free (self.added, TRUE);
    hk_arena_free (self.arena);
    return 0;
}
