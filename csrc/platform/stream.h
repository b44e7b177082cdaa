/*
 * The host's end of a pipe. The owner decides when to read or write and how
 * much; nothing is buffered here.
 */
#ifndef PM_PLATFORM_STREAM_H
#define PM_PLATFORM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../pm.h"
#include "poller.h"

typedef struct pm__pipe pm__pipe_t;

/* The owner's memory, which may go when the callback of pm__pipe_close has run. */
struct pm__pipe {
  pm__watch_t watch;
  int fd; /* -1: closed */
  void *data;
  void (*on_ready)(pm__pipe_t *pipe);
  void (*on_close)(pm__pipe_t *pipe);
};

/* Takes fd over. Not watched yet. */
void pm__pipe_open(pm__pipe_t *pipe, pm__poller_t *poller, int fd);

/* Calls on_ready, level-triggered, whenever a read (a write) would not block;
 * that includes end of file and errors, which the read (write) then reports. */
int pm__pipe_watch_readable(pm__pipe_t *pipe, void (*on_ready)(pm__pipe_t *));
int pm__pipe_watch_writable(pm__pipe_t *pipe, void (*on_ready)(pm__pipe_t *));
void pm__pipe_unwatch(pm__pipe_t *pipe);

/* Of a watched one: nothing is told but that nobody can write to it any more, until
 * it is watched again; the loop is kept alive as before. False when this system
 * cannot do that: then it goes on being watched. */
bool pm__pipe_mute(pm__pipe_t *pipe);

/* Lets it hold size bytes if it may: the system bounds what pipes take. */
void pm__pipe_grow(pm__pipe_t *pipe, size_t size);

/* Bytes read, 0 at end of file, UV_EAGAIN when there is nothing, or an error. */
ssize_t pm__pipe_read(pm__pipe_t *pipe, char *buffer, size_t size);

/* Bytes that can be read without blocking. */
size_t pm__pipe_available(pm__pipe_t *pipe);

/* Whether it is empty and nobody can write to it any more: a read would say 0. */
bool pm__pipe_has_ended(pm__pipe_t *pipe);

/* Bytes written, UV_EAGAIN when it is full, UV_EPIPE when nobody reads. */
ssize_t pm__pipe_write(pm__pipe_t *pipe, const char *bytes, size_t len);

/* The same for the parts in their order, together one write (writev(2)). */
ssize_t pm__pipe_write_all(pm__pipe_t *pipe, const pm_str_t *parts, size_t count);

/* Whether the loop is kept alive while it is watched (it is at first). */
void pm__pipe_ref(pm__pipe_t *pipe);
void pm__pipe_unref(pm__pipe_t *pipe);

/* Closes the descriptor at once; cb from the loop. Only for an open pipe. */
void pm__pipe_close(pm__pipe_t *pipe, void (*cb)(pm__pipe_t *));

#endif /* PM_PLATFORM_STREAM_H */
