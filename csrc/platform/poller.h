/*
 * Descriptors watched on a loop, many at a time.
 *
 * Linux: one epoll set a manager, itself watched by one uv_poll_t. A uv_poll_t
 * for each descriptor takes four system calls to set up and 160 bytes; an entry
 * in the set takes one call. Elsewhere, and beside the portable spawner, each
 * watch has a uv_poll_t.
 */
#ifndef PM_PLATFORM_POLLER_H
#define PM_PLATFORM_POLLER_H

#include <stdbool.h>
#include <uv.h>

typedef struct pm__poller pm__poller_t;
typedef struct pm__watch pm__watch_t;

typedef enum { PM__READABLE = 1, PM__WRITABLE = 2 } pm__readiness_t;

/* The owner's memory, from pm__watch_init until the callback of pm__watch_close. */
struct pm__watch {
  pm__poller_t *poller;
  int fd;
  void *data; /* the owner's */
  void (*on_ready)(pm__watch_t *watch);
  void (*on_close)(pm__watch_t *watch);
  bool active, refd;
  pm__watch_t *next_closed;
  uv_poll_t *poll; /* of the portable kind, on the heap */
};

/* How a kind of poller does it. */
typedef struct pm__poller_kind {
  int (*prepare)(pm__poller_t *poller);
  int (*start)(pm__watch_t *watch, pm__readiness_t what);
  void (*stop)(pm__watch_t *watch);
  bool (*mute)(pm__watch_t *watch);
  void (*set_ref)(pm__watch_t *watch);
  void (*close)(pm__watch_t *watch);
} pm__poller_kind_t;

extern const pm__poller_kind_t pm__poller_portable;

/* One a manager; must not move. */
struct pm__poller {
  uv_loop_t *loop;
  const pm__poller_kind_t *kind;
  uv_idle_t idle;      /* calls on_close of what was closed */
  pm__watch_t *closed; /* whose on_close is due */
  unsigned handles;    /* of libuv's, not closed yet */
  void (*on_close)(pm__poller_t *poller);
  void *data; /* the owner's */

  /* Linux. */
  int set;        /* the epoll set; -1 until the first watch starts */
  uv_poll_t poll; /* of the set */
  unsigned refs;  /* active watches that keep the loop alive */
  unsigned first; /* where the next batch begins: behind those that had their turn */
  void *batch;    /* what is being dispatched; watches that stop meanwhile are struck out */
};

/* Opens no descriptor before the first watch starts. */
void pm__poller_init(pm__poller_t *poller, uv_loop_t *loop, bool portable);

/* Opens what the first watch would: for callers that must not fail later. */
int pm__poller_prepare(pm__poller_t *poller);

/* All watches must be closed, and their callbacks have run. cb from the loop. */
void pm__poller_close(pm__poller_t *poller, void (*cb)(pm__poller_t *));

/* fd stays the owner's. Nothing is watched yet; once it is, it keeps the loop
 * alive. */
void pm__watch_init(pm__watch_t *watch, pm__poller_t *poller, int fd);

/* Calls on_ready, level-triggered, whenever fd is ready for what is wanted, at
 * its end or in error: the read or write tells which. A further call changes
 * what is wanted. UV_ENOMEM, UV_EMFILE and the like. */
int pm__watch_start(pm__watch_t *watch, pm__readiness_t what, void (*on_ready)(pm__watch_t *));
void pm__watch_stop(pm__watch_t *watch);

/* A watch that has been started tells of nothing but fd's end until it is started
 * again; it stays active. False when that cannot be had. */
bool pm__watch_mute(pm__watch_t *watch);

void pm__watch_ref(pm__watch_t *watch);
void pm__watch_unref(pm__watch_t *watch);

/* Stops; fd may be closed at once. cb comes from a later turn of the loop, so
 * that whoever is further up the stack may still use the memory. */
void pm__watch_close(pm__watch_t *watch, void (*cb)(pm__watch_t *));

/* Sets a better kind than the portable one if this system has it: one file a
 * system. */
void pm__poller_choose(pm__poller_t *poller);

/* Closes what that kind has opened, counted in handles; each ends in
 * pm__poller_handle_closed. */
void pm__poller_release(pm__poller_t *poller);
void pm__poller_handle_closed(uv_handle_t *handle);

#endif /* PM_PLATFORM_POLLER_H */
