/*
 * What host and keeper say to each other. Both come from one build, and the
 * host runs the very file that it opened, so the layouts agree.
 *
 * A keeper is started as
 *
 *     mcp-process-keeper PARENT COMMAND GRACE SIGNAL FLAGS
 *
 * five decimal numbers: the pid that must be its parent, the pid of the child
 * that it is about, the ms from the signal to SIGKILL when the host has gone, the
 * signal that asks the tree to end, and the flags below; with a socket to the
 * host as descriptor 0, all signals blocked, and as a subreaper. As
 *
 *     mcp-process-keeper probe
 *
 * it tries what it will need and exits with 0, or with the number of a
 * pm__keeper_need_t.
 */
#ifndef PM_KEEPER_PROTOCOL_H
#define PM_KEEPER_PROTOCOL_H

#include <stdint.h>

#define PM__KEEPER_NAME  "mcp-process-keeper"
#define PM__KEEPER_PROBE "probe"

/* What it calls itself (comm in proc(5)). */
#define PM__KEEPER_COMM "mcp-keeper"

/* SOCK_SEQPACKET: each order and report is one message. Its end is the end of
 * whoever is at the other side. */
enum { PM__KEEPER_SOCKET = 0 };

enum {
  PM__KEEPER_TO_COMMAND = 1, /* the signal goes to the command alone, to the rest once that has ended */
  PM__KEEPER_LEAVE_REST = 2, /* what is left when the command ends by itself is left alone */
  PM__KEEPER_GUARD = 4       /* the outer of two: no socket, the command is the inner keeper, and what that leaves
                                behind has been asked already */
};

typedef enum {
  PM__KEEPER_NEEDS_NOTHING,
  PM__KEEPER_NEEDS_SUBREAPER, /* prctl(PR_SET_CHILD_SUBREAPER) */
  PM__KEEPER_NEEDS_SIGNALFD,
  PM__KEEPER_NEEDS_PIDFD, /* pidfd_open, pidfd_send_signal */
  PM__KEEPER_NEEDS_PROC,  /* /proc with the lists of children (CONFIG_PROC_CHILDREN) */
  PM__KEEPER_NEEDS_ROOM,  /* descriptors or memory, which the system is short of at the moment */
  PM__KEEPER_NEEDS_COUNT
} pm__keeper_need_t;

/* Host to keeper. */
typedef enum {
  PM__KEEPER_TERMINATE, /* the signal to all, SIGCONT; to what appears later, too */
  PM__KEEPER_KILL,      /* SIGKILL until nothing is left */
  PM__KEEPER_SIGNAL,    /* signum, once */
  PM__KEEPER_TAKE_REST  /* the command is about to be ended: what it leaves is not left alone */
} pm__keeper_order_kind_t;

typedef struct pm__keeper_order {
  uint32_t kind;
  int32_t signum;
  uint32_t tree; /* of PM__KEEPER_SIGNAL: to all, not to the command alone */
} pm__keeper_order_t;

/* Keeper to host: the command has ended. If something is left, once more when that has
 * ended, too: an end without that is a loss. */
typedef struct pm__keeper_report {
  int32_t status;        /* as of waitpid(2) */
  uint32_t left;         /* whether anything is left to be ended; if not, the keeper ends now, with its work done */
  uint64_t user, system; /* microseconds */
  uint64_t max_rss;      /* KiB */
} pm__keeper_report_t;

#endif /* PM_KEEPER_PROTOCOL_H */
