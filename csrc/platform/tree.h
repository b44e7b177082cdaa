/*
 * The descendants of a process, found downwards by /proc/PID/task/TID/children
 * (proc(5)), which the kernel has with CONFIG_PROC_CHILDREN. Raw system calls,
 * no libc, nothing allocated: the keeper uses it too.
 *
 * Such a list is a look at something that moves: processes that fork or end
 * meanwhile may be missing. Who has to find all of them looks again.
 */
#ifndef PM_PLATFORM_TREE_H
#define PM_PLATFORM_TREE_H

#include <stdbool.h>

#include "proc_stat.h"

/* Reads /proc/PID/stat. 0, or a negative errno: -ESRCH when there is no such
 * process, or it is a zombie. */
int pm__tree_stat(int pid, pm__proc_stat_t *out);

/* Whether /proc/PID/comm is that line, its newline included. */
bool pm__tree_is_named(int pid, const char *line);

/* Fills pids, parents before their children, and returns how many: at most max.
 * Zombies are among them. Negative errno if the list of root itself cannot be
 * read. */
int pm__tree_list(int root, int *pids, int max);

/* Fills pids with the children of one process and returns how many: at most max.
 * With one_thread it is known to have no more, which spares reading a directory.
 * Negative errno if the list cannot be read. */
int pm__tree_children(int pid, bool one_thread, int *pids, int max);

/* Whether the chain of parents of a process leads to root, and no parent in it
 * is younger than its child, which would be another process under a pid that was
 * given anew. */
bool pm__tree_contains(int root, const pm__proc_stat_t *stat);

/* Sends SIGKILL to each child of the calling thread. That is safe by pid for a
 * process of one thread: nobody else can reap them. Returns how many there were, or a
 * negative errno; *refused (may be NULL): how many of them may not be signalled. */
long pm__tree_kill_children(long *refused);

#endif /* PM_PLATFORM_TREE_H */
