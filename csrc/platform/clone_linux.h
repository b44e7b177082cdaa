/* A child that shares the host's memory, on a stack of its own. */
#ifndef PM_PLATFORM_CLONE_LINUX_H
#define PM_PLATFORM_CLONE_LINUX_H

#include <stddef.h>
#include <sys/types.h>

/* Since Linux 5.2; older headers lack it. */
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

/* What each stack has room for at least. */
enum { PM__STACK_ROOM = 28 * 1024 };

/* A guard page and what is above it: whole pages, whatever their size. */
size_t pm__stack_size(size_t page);

/* Room for count stacks, to be unmapped by the caller; NULL and errno. */
void *pm__stacks_map(int count);
void pm__stacks_unmap(void *stacks, int count);

/* Where stack i (from 0) begins: it grows downwards. */
char *pm__stack_top(void *stacks, int i);

/* clone(2) with CLONE_VM | CLONE_VFORK, SIGCHLD and flags, all 64 signals blocked
 * in host and child: a handler of the host must not run in there. Returns when the
 * child has executed a program or has ended: 0, or a negative errno. errno stays
 * as it was. */
int pm__clone(int (*child)(void *), char *stack, int flags, void *arg, pid_t *pid, int *pidfd);

#endif /* PM_PLATFORM_CLONE_LINUX_H */
