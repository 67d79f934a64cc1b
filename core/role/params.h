/* params.h: every parameter table of the core, registered in one place.
 *
 * Tools and roles know the same names this way, whichever rooms they use. */
#ifndef HK_ROLE_PARAMS_H
#define HK_ROLE_PARAMS_H

/* Before the first hk_settings_load; main thread; once. */
void hk_register_params (void);

#endif
