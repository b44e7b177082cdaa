#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "platform/spawn_backend.h"

enum { WATCHDOG_MS = 60 * 1000 };

/* Threads of one test program share the count: managers may run in several. */
static atomic_ulong seen;
static atomic_ulong fail_at;
static atomic_bool fail_later_too;

/* Called by the core's alloc.c in test builds. */
bool pm__test_alloc_fails(void);

bool pm__test_alloc_fails(void) {
  unsigned long number = atomic_fetch_add(&seen, 1) + 1;
  unsigned long at = atomic_load(&fail_at);
  return at != 0 && (number == at || (number > at && atomic_load(&fail_later_too)));
}

static void alloc_fail(unsigned long n, bool later_too) {
  atomic_store(&fail_at, 0);
  atomic_store(&fail_later_too, later_too);
  atomic_store(&seen, 0);
  atomic_store(&fail_at, n);
}

void alloc_fail_nth(unsigned long n) {
  alloc_fail(n, false);
}

void alloc_fail_from(unsigned long n) {
  alloc_fail(n, true);
}

bool alloc_is_to_fail(void) {
  return atomic_load(&fail_at) != 0;
}

unsigned long alloc_seen(void) {
  return atomic_load(&seen);
}

int count_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  assert_non_null(dir);

  int count = -1; /* the directory's own */
  for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
    if (entry->d_name[0] != '.') count++;
  }
  closedir(dir);
  return count;
}

static void fail_at_line(const char *file, int line, const char *what, const char *detail) {
  print_error("%s:%d: %s%s\n", file, line, what, detail);
  _fail(file, line);
}

void assert_no_child_at(const char *file, int line) {
  int status;
  pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);
  if (pid == -1 && errno == ECHILD) return;
  if (pid == 0) fail_at_line(file, line, "a child is still running", "");
  if (pid > 0) fail_at_line(file, line, "a child had not been reaped", "");
  fail_at_line(file, line, "waitpid: ", strerror(errno));
}

/* One timer per loop, found again by its callback, so that no global is needed
 * and loops of several threads do not meet. */
typedef struct watchdog {
  uv_timer_t timer;
  bool has_barked;
} watchdog_t;

static void on_watchdog(uv_timer_t *timer) {
  ((watchdog_t *)timer)->has_barked = true;
}

typedef struct handles {
  watchdog_t *watchdog;
  uv_handle_t *other;
} handles_t;

static void look_at_handle(uv_handle_t *handle, void *arg) {
  handles_t *found = arg;
  bool is_watchdog = handle->type == UV_TIMER && handle->data == (void *)on_watchdog;
  if (is_watchdog) {
    found->watchdog = (watchdog_t *)handle;
  } else {
    found->other = handle;
  }
}

static watchdog_t *watchdog_of(uv_loop_t *loop) {
  handles_t found = {0};
  uv_walk(loop, look_at_handle, &found);
  if (found.watchdog) return found.watchdog;

  watchdog_t *watchdog = calloc(1, sizeof *watchdog);
  assert_non_null(watchdog);
  assert_int_equal(uv_timer_init(loop, &watchdog->timer), 0);
  watchdog->timer.data = (void *)on_watchdog;
  uv_unref((uv_handle_t *)&watchdog->timer); /* else a loop with nothing to do would look busy */
  return watchdog;
}

void run_until_at(uv_loop_t *loop, const bool *flag, const char *file, int line) {
  watchdog_t *watchdog = watchdog_of(loop);
  watchdog->has_barked = false;
  uv_update_time(loop);
  uv_timer_start(&watchdog->timer, on_watchdog, WATCHDOG_MS, 0);

  bool is_alive = true;
  while (!*flag && is_alive && !watchdog->has_barked)
    is_alive = uv_run(loop, UV_RUN_ONCE) != 0;

  uv_timer_stop(&watchdog->timer);
  if (*flag) return;
  fail_at_line(file, line, watchdog->has_barked ? "60 s have passed" : "the loop has nothing left to do", "");
}

static void free_watchdog(uv_handle_t *handle) {
  free(handle);
}

void assert_loop_closes_at(uv_loop_t *loop, const char *file, int line) {
  handles_t found = {0};
  uv_walk(loop, look_at_handle, &found);
  if (found.other) {
    const char *type = uv_handle_type_name(uv_handle_get_type(found.other));
    fail_at_line(file, line, uv_is_closing(found.other) ? "a handle is still closing: " : "a handle is open: ", type);
  }
  if (uv_loop_alive(loop)) fail_at_line(file, line, "a request is under way", "");

  /* Only now, as this turn of the loop would complete what others left. */
  if (found.watchdog) {
    uv_close((uv_handle_t *)&found.watchdog->timer, free_watchdog);
    uv_run(loop, UV_RUN_NOWAIT);
  }
  int err = uv_loop_close(loop);
  if (err < 0) fail_at_line(file, line, "uv_loop_close: ", uv_strerror(err));
}

bool wants_portable(void) {
  const char *wanted = getenv("MCP_PROCESS_MANAGER_SPAWN");
  return wanted && strcmp(wanted, "portable") == 0;
}

/* Not under valgrind: it knows the system calls no more than the backend's. */
static bool can_keep(void) {
  pm__spawner_t spawner = {.backend = &pm__spawn_portable};
  pm__spawner_choose(&spawner);
  return spawner.backend->kept != NULL;
}

bool wants_keeper(void) {
  const char *containment = getenv("PM_TEST_CONTAINMENT");
  return !wants_portable() && can_keep() && !(containment && strcmp(containment, "group") == 0);
}

pm_keeper_t *open_keeper(void) {
  pm_keeper_t *keeper = NULL;
  pm_error_t error;
  if (!wants_keeper()) return NULL;
  if (pm_keeper_open(PM_KEEPER, &keeper, &error) == 0) return keeper;
  fprintf(stderr, "%s\n", error.message);
  abort();
}

double thread_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}
