/*
 * The log of a process in a file, rotated by size: PATH, PATH.1 (newer), PATH.2, …
 *
 * Lines are put into a buffer and written by libuv's thread pool, one write at a
 * time, so that no slow disk holds up the loop. What cannot be written (a full disk)
 * is kept and tried again; the buffer is bounded, and what does not fit is counted
 * and told of in the file and by an error event.
 */
#ifndef PM_CORE_LOG_FILE_H
#define PM_CORE_LOG_FILE_H

#include "../internal.h"

void pm__log_files_init(pm_manager_t *m);

/* Makes one for a process that is being made; opens nothing yet. NULL when memory is
 * short. */
pm__log_file_t *pm__log_file_new(pm_manager_t *m, pm_str_t path, const pm_options_t *options);

/* The path, as it was given, and how many files there may be. */
const char *pm__log_file_path(const pm__log_file_t *file);
unsigned pm__log_file_max_files(const pm__log_file_t *file);

/* Lines that found no room since it was made. */
uint64_t pm__log_file_lost(const pm__log_file_t *file);

/* Whether one to path, of so many files, and this one would write, or rotate, over each
 * other. */
bool pm__log_file_disturbs(const pm__log_file_t *file, pm_str_t path, unsigned max_files);

/* Its process starts again after its end; no live one may disturb it. What processes
 * that have ended had for files in its way is written first; what comes for those from
 * now on is not. */
void pm__log_file_begin(pm__log_file_t *file);

/* Lines that were read at `time` (microseconds since the epoch). They are on their
 * way when the loop turns. process is told of errors, once for each spell of them; to be
 * called where events may be queued. */
void pm__log_file_add(pm__log_file_t *file, pm_stream_t stream, uint64_t time, const pm_str_t *lines, size_t count);

/* Who hears of errors; NULL: nobody any more. */
void pm__log_file_set_process(pm__log_file_t *file, pm__process_t *p);

/* Its process has ended: it is closed once all is written, until there is more. NULL
 * is fine. */
void pm__log_file_rest(pm__log_file_t *file);

/* Hands what waits to the thread pool, for all of the manager's files. */
void pm__log_files_flush(pm_manager_t *m);

/* Writes what is left by the thread pool, closes and frees; the manager is held until
 * then. NULL is fine. */
void pm__log_file_close(pm__log_file_t *file);

/* For the host's own end: all that waits is written when it returns, unless a write that
 * is under way does not end within a second. */
void pm__log_files_write_now(pm_manager_t *m);

#endif /* PM_CORE_LOG_FILE_H */
