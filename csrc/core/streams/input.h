/*
 * Stdin of a command: bytes are written at once while the pipe takes them. So is a
 * message where the turns before had one message each; else all of a turn are written
 * together when its work is done. What the pipe does not take is queued, up to
 * maxStdinBytes.
 */
#ifndef PM_CORE_INPUT_H
#define PM_CORE_INPUT_H

#include "../internal.h"

/* Takes fd over; -1: the command has no stdin pipe. */
void pm__input_open(pm__input_t *in, pm__run_t *run, int fd);

/* As pm_process_write, once the process is known. */
int pm__input_write(pm__input_t *in, pm_str_t data, bool *ready, pm_error_t *error);

/* As pm_process_send, once the process is known. */
int pm__input_send(pm__input_t *in, pm_str_t message, bool *ready, pm_error_t *error);

/* Ends the turn for messages: writes what has been sent in it. */
void pm__inputs_flush(pm_manager_t *m);

/* Closes when the queue is empty, at once if it is. Returns whether it is closed. */
bool pm__input_end(pm__input_t *in);

/* Closes now; what is queued is counted as unsent. */
void pm__input_abandon(pm__input_t *in);

void pm__input_ref(pm__input_t *in);
void pm__input_unref(pm__input_t *in);

#endif /* PM_CORE_INPUT_H */
