/* What the programs share that show how fast plain C can be here. They end with
 * a message when anything fails: a limit that is measured wrongly is worse than
 * none. */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include <stddef.h>
#include <stdint.h>

/* How a child is made. */
typedef enum {
  BY_CLONE,         /* clone(CLONE_VM | CLONE_VFORK): no memory is copied */
  BY_CLONE_UNSHARE, /* that with CLONE_FILES, and close_range in the child instead of a copy of the table */
  BY_POSIX_SPAWN
} method_t;

/* A started child: its pid, a pidfd, and the host's ends of its three pipes. */
typedef struct child {
  int pid;
  int pidfd;
  int end[3];
} child_t;

/* Prints what failed, with errno, and ends the program. */
void fail(const char *what) __attribute__((noreturn));

double now_us(void);

/* CPU that this process has used, user and system. */
double cpu_us(void);

/* Sorts values in place. */
double median(double *values, size_t count);

/* Sorts values in place; the one that this share of them does not pass. */
double percentile(double *values, size_t count, double share);

/* A size in /proc/self/status: VmRSS, VmHWM. */
double status_kib(const char *name);

/* Allocates and touches memory until this process has about so much. */
void grow(size_t mebibytes);

/* Puts placeholders at the low descriptors that BY_CLONE_UNSHARE needs. Comes
 * before the program opens anything, whose numbers it would take. */
void reserve_low(void);

/* Starts argv[0] with three pipes. The pidfd is opened by clone itself, or
 * right after by pidfd_open. */
void start(child_t *c, method_t method, char **argv);

/* Takes an ended child's zombie away and closes its descriptors. Returns its
 * exit code, -1 after a signal. */
int finish(child_t *c);

#endif
