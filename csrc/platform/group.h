/* The members of a process group. */
#ifndef PM_PLATFORM_GROUP_H
#define PM_PLATFORM_GROUP_H

/* Fills at most max pids of living members (zombies are not) of process group
 * pgid and returns how many there are. Where the system has no way to list
 * them: 1 (and the group's id) if a signal reaches the group, else 0. */
int pm__group_members(int pgid, int *pids, int max);

#endif /* PM_PLATFORM_GROUP_H */
