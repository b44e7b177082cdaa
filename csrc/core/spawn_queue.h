/*
 * How fast commands are started: maxSpawnsPerSecond. Automatic restarts that come sooner
 * wait in a queue, first come, first served; one timer serves it. What somebody asks for
 * never waits, but counts. While the processes use more than maxTotalMemory nobody in the
 * queue is started.
 */
#ifndef PM_CORE_SPAWN_QUEUE_H
#define PM_CORE_SPAWN_QUEUE_H

#include "internal.h"

/* Cannot fail. */
void pm__spawn_queue_init(pm_manager_t *m);

/* Something is being started now, or that is tried. */
void pm__spawn_queue_note(pm_manager_t *m);

/* Whether an automatic restart may be started now: nobody waits, not too many have been
 * started lately, and there is memory. */
bool pm__spawn_queue_admits(const pm_manager_t *m);

/* Puts p last. When it is its turn, it gets PM__DEADLINE. */
void pm__spawn_queue_add(pm__process_t *p);

/* Does nothing if it is not in the queue. */
void pm__spawn_queue_remove(pm__process_t *p);

/* Gives each its queue_place: for who looks at all of them, since one position costs a walk
 * through the queue. */
void pm__spawn_queue_number(pm_manager_t *m);

/* 1: the next; 0: it is not in the queue. */
unsigned pm__spawn_queue_position(const pm__process_t *p);

#endif /* PM_CORE_SPAWN_QUEUE_H */
