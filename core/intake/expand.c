/* expand.c: where mail for an address would go, when there is no message (address probes).
 */
#include "config.h"

#include "intake/intake_priv.h"

bool
hk_intake_may_block (const HkIntake *self)
{
    return self->may_block;
}

bool
hk_incoming_expand (HkIncoming *self, GArray *out, const char **out_why)
{
    HkSpan address = hk_standard_form (self, self->envelope.recipients[0].address);
    if (!self->intake->has_mappings) {
        g_array_append_val (out, address);
        return true;
    }
    address = hk_canonical_map (self, address, HK_CLASS_ENVELOPE_RECIPIENT);
    if (self->code == 0 && hk_alias_expand (self, address, out))
        return true;
    *out_why = self->text;
    return false;
}
