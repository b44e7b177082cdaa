/*
 * What the native tests share: allocations that fail on demand, loops that
 * cannot hang, and the checks that nothing was left behind.
 */
#ifndef PM_TEST_SUPPORT_H
#define PM_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "pm.h"

/* ---- memory that runs out ------------------------------------------------ */

/* The n-th allocation of the core from now on fails, and no other; 0: none.
 * Starts alloc_seen anew. Counts over all threads. */
void alloc_fail_nth(unsigned long n);

/* The n-th allocation from now on fails and so do all later ones. */
void alloc_fail_from(unsigned long n);

/* Whether one is to fail, or has failed. */
bool alloc_is_to_fail(void);

/* Allocations asked for since alloc_fail_nth or alloc_fail_from. A test that
 * fails each in turn is through when this stays below n. */
unsigned long alloc_seen(void);

/* ---- nothing is left behind ----------------------------------------------- */

/* Open descriptors of this process. */
int count_descriptors(void);

/* There is no child, living or unreaped. */
#define assert_no_child() assert_no_child_at(__FILE__, __LINE__)
void assert_no_child_at(const char *file, int line);

/* Closes loop; fails and names the handle if one is open or still closing. */
#define assert_loop_closes(loop) assert_loop_closes_at((loop), __FILE__, __LINE__)
void assert_loop_closes_at(uv_loop_t *loop, const char *file, int line);

/* ---- both backends ---------------------------------------------------------- */

/* Whether MCP_PROCESS_MANAGER_SPAWN=portable is in the environment: the tests
 * then start commands by uv_spawn. */
bool wants_portable(void);

/* Whether commands are started under keepers: unless PM_TEST_CONTAINMENT=group is
 * in the environment, or the portable backend is wanted or all there is. */
bool wants_keeper(void);

/* The keeper's program, for one who gives it back; NULL when none is wanted. */
pm_keeper_t *open_keeper(void);

/* ---- waiting --------------------------------------------------------------- */

/* Runs loop until *flag is true. Fails when nothing is left that could set it,
 * or after 60 s. The loop must be closed by assert_loop_closes: that also takes
 * down the timer this puts into it. */
#define run_until(loop, flag) run_until_at((loop), (flag), __FILE__, __LINE__)
void run_until_at(uv_loop_t *loop, const bool *flag, const char *file, int line);

/* CPU that this thread has used, in ms: others may have the processor meanwhile. */
double thread_ms(void);

#endif /* PM_TEST_SUPPORT_H */
