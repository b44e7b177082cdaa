/*
 * What a command and all that it started use: a look at each process of its tree,
 * and what came between two looks.
 *
 * CPU time stands in /proc twice: what a process has used itself, and what the
 * children had used that it has waited for (with theirs). Each tick is in exactly
 * one place at any moment, and moves up when a parent waits for its child. So the
 * tree has used, between two looks,
 *
 *     what each process that is in both has used itself,
 *   + all that those have used that were started meanwhile,
 *   + by how much more has been waited for (by the keeper, too), beyond what of it
 *     had been seen when those were alive that have gone.
 *
 * The last is what processes used that have gone meanwhile, those included that
 * were never seen. It is lost where a parent ignores SIGCHLD and nobody waits: then
 * the sum counts as nothing, never as less.
 */
#ifndef PM_CORE_METER_H
#define PM_CORE_METER_H

#include "../../pm.h"
#include "cpu_window.h"
#include "members.h"

/* What meters have in common: descriptors that they keep open together, beside one of each
 * command. All zeros but for most is an empty one. */
typedef struct pm__meter_room {
  unsigned open, most;
  pm__starts_t starts;
} pm__meter_room_t;

/* Frees what the room itself has. */
void pm__meter_room_free(pm__meter_room_t *room);

/* So many one tree may have in any case; more, while a quarter of the room is free. */
enum { PM__METER_OPEN = 64 };

typedef struct pm__meter {
  /* After the first complete look: */
  pm__cpu_window_t cpu, own_cpu; /* percent of one core: of the tree, of the command */
  pm__cpu_time_t used;           /* by the tree since it began */
  pm__cpu_time_t own_used;       /* by the command */
  uint64_t memory, own_memory;   /* resident bytes */
  uint64_t peak;                 /* the most that memory was at a look */
  uint64_t threads;              /* of the tree */
  unsigned processes;            /* that live */
  bool complete;                 /* there has been one */

  int command, keeper, inner_keeper; /* pids; 0: there is none */
  pm__meter_room_t *room;
  pm__members_t members; /* as of the last complete look */
  unsigned open;         /* its descriptors in the room */
  uint64_t looked_at;    /* when it began, pm__metrics_now */
  uint64_t memory_at;    /* when the memory of all was read */
  uint64_t listed_at;    /* when children were last asked for */
  uint64_t listed_pid;   /* pm__metrics_last_pid before that */
  bool lost_one;         /* somebody of a list of children was not taken in */
  pm__cpu_time_t ahead;  /* of those gone, what had been seen of them but not been waited for */

  /* The look under way. */
  bool looking;
  bool listing;      /* it asks each for its children */
  bool reads_memory; /* also of those who have not run */
  bool all;          /* also for those that seem to be the same as last time */
  bool losing;       /* becomes lost_one */
  bool unasked;      /* who has run was not asked for children, which may have been started since last_pid was read */
  int at;            /* who is next */
  int rest;          /* from here on: those that nobody has named as a child */
  uint64_t began;
  uint64_t read_at; /* when what the command has used was read */
  uint64_t last_pid;
  pm__members_t next;
} pm__meter_t;

/* A meter of a command that lives. Below a keeper (inner: the second of two) all of the
 * keeper's tree is measured, but for the keepers; without one the command and its
 * descendants, those that it loses after having been seen included. room is borrowed. */
void pm__meter_init(pm__meter_t *m, pm__meter_room_t *room, int command, int keeper, int inner_keeper);

/* Goes on with a look, or begins one, until it is complete or `until` (uv_hrtime) has
 * passed; a few processes are looked at in any case. Children are listed anew if last_pid, which
 * is what pm__metrics_last_pid has said not after this call, is another one than last
 * time, or 0, if one has gone, and every ten seconds. 0: it is complete. UV_EAGAIN: go on later.
 * Else why the command cannot be looked at, and the look is given up; UV_ESRCH: it has
 * been reaped, or its pid is somebody else's. Figures change with complete looks only. Memory, which others can take
 * from those at rest, is read of these every four seconds. */
int pm__meter_look(pm__meter_t *m, uint64_t last_pid, uint64_t until);

/* What most looks come to: nobody of a small tree has run since the last, so nobody can have started or waited for
 * anything, whatever was started elsewhere. Then it is as if there had been a complete look. False: there has to be
 * one; no figure is changed. */
bool pm__meter_glance(pm__meter_t *m);

/* The figures of the last complete look, for the embedder; before the first, zeros, but for the memory
 * that it has seen so far. */
void pm__meter_figures(const pm__meter_t *m, pm_metrics_t *out);

/* Whether the command's descriptor is open, and reads: 0, UV_ESRCH … UV_EBADF: it is
 * not open. */
int pm__meter_probe(const pm__meter_t *m);

/* Closes all descriptors; figures and windows stay, and the next look opens them again. */
void pm__meter_let_go(pm__meter_t *m);

/* Closes and frees. Figures stay. Idempotent. */
void pm__meter_close(pm__meter_t *m);

#endif /* PM_CORE_METER_H */
