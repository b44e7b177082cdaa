/*
 * Streams that nobody waits for are read at their own pace. A command that writes a
 * line at a time, and often, would wake the loop for each of them; so such a stream
 * is left alone for a millisecond, lets its pipe fill, and is read by one timer
 * together with all others that rest. When it is found full it is read without a
 * pause again, when it is found empty the loop waits for it as before.
 */
#ifndef PM_CORE_PACER_H
#define PM_CORE_PACER_H

#include "../internal.h"

void pm__pacer_init(pm_manager_t *m);

/* A read of so many bytes was made because the loop said that there was something. It
 * may be left alone now. */
void pm__pacer_note(pm__output_t *o, size_t bytes);

/* It is watched by the loop again. Idempotent. */
void pm__pacer_wake(pm__output_t *o);

/* It is closed or paused: forgotten, but not watched. Idempotent. */
void pm__pacer_forget(pm__output_t *o);

#endif /* PM_CORE_PACER_H */
