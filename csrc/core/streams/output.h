/*
 * From a pipe to the log ring and to whoever listens: one read, one call out.
 */
#ifndef PM_CORE_OUTPUT_H
#define PM_CORE_OUTPUT_H

#include "../internal.h"

/* One read takes at most this much. In front there is room for the beginning of a
 * character that the chunk before cut. */
enum { PM__READ_SIZE = 64 * 1024, PM__READ_HEADROOM = 4, PM__READ_BUFFER_SIZE = PM__READ_SIZE + PM__READ_HEADROOM };

/* Takes fd over and reads from it. If it cannot be watched it is closed. */
void pm__output_open(pm__output_t *o, pm__run_t *run, pm_stream_t stream, int fd);

/* The command has ended: reads what the pipe holds at this moment, but no more
 * (a descendant may keep writing for ever); then the stream counts as ended. */
void pm__output_finish(pm__output_t *o);

/* From now on it keeps no loop alive. */
void pm__output_linger(pm__output_t *o);

void pm__output_close(pm__output_t *o);

/* Reading is suspended, or goes on. UV_ESRCH when it is closed, or an error of the
 * loop's. */
int pm__output_pause(pm__output_t *o, bool paused);

/* Whether somebody wants each chunk at once. */
bool pm__output_is_awaited(const pm__output_t *o);

/* ---- for pacer.c ---- */

/* Reads what there is, up to about most bytes, and closes a stream that has ended.
 * Returns how many bytes. */
size_t pm__output_read(pm__output_t *o, size_t most);

/* The loop tells of it again. */
void pm__output_watch(pm__output_t *o);

/* Lets its pipe hold more, once. */
void pm__output_grow(pm__output_t *o);

void pm__output_ref(pm__output_t *o);
void pm__output_unref(pm__output_t *o);

#endif /* PM_CORE_OUTPUT_H */
