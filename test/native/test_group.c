/* Whether a process group is gone: seen by looks at all processes, of which there must not be too many. */
#define _GNU_SOURCE
#include "platform/group.h"

#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/internal.h"
#include "pm_fixture.h"

/* What group.h promises: the time between two looks, in terms of the first. */
enum { COST_FACTOR = 20 };

/* Stands before libc's: the looks are counted, whoever takes them. */
static unsigned looks;

DIR *opendir(const char *path) {
  DIR *(*next)(const char *path);
  *(void **)&next = dlsym(RTLD_NEXT, "opendir");
  if (strcmp(path, "/proc") == 0) looks++;
  return next(path);
}

/* ---- a group of the test's own ------------------------------------------------------- */

static pid_t start_group(void) {
  int ready[2];
  char byte;
  assert_int_equal(pipe(ready), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    alarm(60);
    setpgid(0, 0);
    close(ready[0]);
    close(ready[1]);
    for (;;)
      pause();
  }
  close(ready[1]);
  assert_int_equal(read(ready[0], &byte, 1), 0);
  close(ready[0]);
  return pid;
}

static void make_zombie(pid_t pid) {
  assert_int_equal(kill(pid, SIGKILL), 0);
  wait_until_ended(pid);
}

static void reap(pid_t pid) {
  assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The time has come for another look, or will not come. */
static void allow_look(pm__group_scan_t *scan) {
  scan->cost = 0;
  usleep(1);
}

static void forbid_look(pm__group_scan_t *scan) {
  scan->cost = UINT64_MAX / COST_FACTOR;
}

static void test_living_and_zombies(void **state) {
  (void)state;
  pm__group_scan_t scan = {0};
  int pids[2] = {0};
  pid_t pid = start_group();
  assert_false(pm__group_is_empty(&scan, pid, 0));
  assert_true(scan.complete);
  assert_true(scan.count > 1);
  assert_int_equal(pm__group_members(pid, pids, 2), 1);
  assert_int_equal(pids[0], pid);
  assert_int_equal(pm__group_members(pid, NULL, 0), 1);
  make_zombie(pid);
  allow_look(&scan);
  assert_true(pm__group_is_empty(&scan, pid, 0));
  assert_int_equal(pm__group_members(pid, pids, 2), 0);
  reap(pid);
  pm__group_scan_free(&scan);
  assert_null(scan.groups);
}

/* One look answers for all groups, and is not repeated before it has been paid for. */
static void test_looks_are_rare(void **state) {
  (void)state;
  pm__group_scan_t scan = {0};
  pid_t pid = start_group();
  uint64_t first = 0;
  uint64_t cost = 0;
  looks = 0;
  unsigned seen = 0;
  for (int i = 0; i < 1000; i++) {
    assert_true(pm__group_is_empty(&scan, pid, 0) == false);
    if (scan.taken_at == first) continue;
    if (first) assert_true(scan.taken_at - first > cost * COST_FACTOR);
    first = scan.taken_at;
    cost = scan.cost;
    seen++;
  }
  assert_int_equal(looks, seen);
  assert_true(cost > 0);

  forbid_look(&scan);
  looks = 0;
  assert_true(pm__group_is_empty(&scan, getpid() + (1 << 25), 0));
  make_zombie(pid);
  assert_false(pm__group_is_empty(&scan, pid, 0));
  assert_int_equal(looks, 0);
  allow_look(&scan);
  assert_true(pm__group_is_empty(&scan, pid, 0));
  assert_int_equal(looks, 1);
  reap(pid);
  pm__group_scan_free(&scan);
}

/* An older look says nothing about what has begun after it. */
static void test_since(void **state) {
  (void)state;
  pm__group_scan_t scan = {0};
  pid_t pid = start_group();
  make_zombie(pid);
  assert_true(pm__group_is_empty(&scan, pid, 0));
  forbid_look(&scan);
  assert_true(pm__group_is_empty(&scan, pid, scan.taken_at - 1));
  assert_false(pm__group_is_empty(&scan, pid, scan.taken_at));
  uint64_t since = uv_hrtime();
  assert_false(pm__group_is_empty(&scan, pid, since));
  allow_look(&scan);
  assert_true(pm__group_is_empty(&scan, pid, since));
  reap(pid);
  pm__group_scan_free(&scan);
}

static void test_no_memory(void **state) {
  (void)state;
  pm__group_scan_t scan = {0};
  pid_t pid = start_group();
  make_zombie(pid);
  alloc_fail_from(1);
  assert_false(pm__group_is_empty(&scan, pid, 0));
  alloc_fail_nth(0);
  assert_false(scan.complete);
  allow_look(&scan);
  assert_true(pm__group_is_empty(&scan, pid, 0));
  reap(pid);
  pm__group_scan_free(&scan);
}

/* ---- descriptors that run out ------------------------------------------------------------ */

enum { MOST_DESCRIPTORS = 64 };

typedef struct shortage {
  struct rlimit before;
  int taken[MOST_DESCRIPTORS];
  int count;
} shortage_t;

/* Leaves `left` descriptors. */
static void begin_shortage(shortage_t *s, int left) {
  int fd;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &s->before), 0);
  struct rlimit limit = {.rlim_cur = MOST_DESCRIPTORS, .rlim_max = s->before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  for (s->count = 0; (fd = dup(STDERR_FILENO)) >= 0;)
    s->taken[s->count++] = fd;
  assert_true(s->count >= left);
  while (left-- > 0)
    close(s->taken[--s->count]);
}

static void end_shortage(shortage_t *s) {
  while (s->count > 0)
    close(s->taken[--s->count]);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &s->before), 0);
}

/* With none /proc cannot be opened, with one nothing in it. */
static void test_look_without_descriptors(void **state) {
  (void)state;
  shortage_t s;
  for (int left = 0; left < 2; left++) {
    pm__group_scan_t scan = {0};
    pid_t pid = start_group();
    make_zombie(pid);
    begin_shortage(&s, left);
    bool empty = pm__group_is_empty(&scan, pid, 0);
    end_shortage(&s);
    assert_false(empty);
    assert_false(scan.complete);
    allow_look(&scan);
    assert_true(pm__group_is_empty(&scan, pid, 0));
    assert_true(scan.complete);
    reap(pid);
    pm__group_scan_free(&scan);
  }
}

/* A stop is answered when its group is gone, not when nobody can look. */
static void test_stop_without_descriptors(void **state) {
  (void)state;
  shortage_t s;
  for (int left = 0; left < 2; left++) {
    host_t h;
    answer_t a;
    answer_t second;
    host_init(&h);
    host_open(&h);
    host_spawn(&h, "a", "spawn-grandchild", "ignore-term");
    int pid = host_grandchild(&h, "a");
    begin_shortage(&s, left);
    host_stop(&h, "a", INFINITY, &a);
    host_wait(&h, "a", PM_EVENT_EXIT, 1);
    host_pass_time(&h, 200);
    assert_int_equal(kill(pid, 0), 0);
    assert_int_equal(a.times, 0);
    end_shortage(&s);
    host_pass_time(&h, 200);
    assert_true(is_running(pid));
    assert_int_equal(a.times, 0);
    host_stop(&h, "a", 10, &second);
    assert_true(host_answer(&h, &a));
    assert_true(host_answer(&h, &second));
    assert_false(is_running(pid));
    assert_string_equal(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.step, "SIGKILL");
    host_close(&h);
  }
}

/* ---- many at once ---------------------------------------------------------------------------- */

/* The groups of all of them are waited for at the same time: the looks take no
 * more than their part of that time. */
static void test_many_stops(void **state) {
  (void)state;
  enum { MANY = 40, TIMEOUT = 400 };
  host_t h;
  answer_t answers[MANY];
  char id[16];
  host_init(&h);
  h.options.value[PM_OPT_CONTAINMENT] = PM_CONTAINMENT_GROUP;
  host_open(&h);
  for (int i = 0; i < MANY; i++) {
    snprintf(id, sizeof(id), "%d", i);
    host_spawn(&h, id, "spawn-grandchild", "ignore-term");
    host_grandchild(&h, id);
  }
  looks = 0;
  uint64_t start = uv_hrtime();
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < MANY; i++) {
    snprintf(id, sizeof(id), "%d", i);
    host_stop(&h, id, TIMEOUT, &answers[i]);
  }
  const pm__group_scan_t *scan = &h.m->spawner.groups;
  for (int i = 0; i < MANY; i++) {
    while (answers[i].times == 0) {
      host_pass_time(&h, 1);
      if (scan->taken_at && scan->cost < least) least = scan->cost;
    }
    assert_true(host_answer(&h, &answers[i]));
  }
  uint64_t took = uv_hrtime() - start;
  print_message("%u looks of %.2f ms or more in %.0f ms\n", looks, (double)least / 1e6, (double)took / 1e6);
  assert_true(looks > 0);
  /* Half of the factor: the cheapest may have been one that was not seen here. */
  assert_true((looks - 1) * least * (COST_FACTOR / 2) <= took);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_living_and_zombies),
      cmocka_unit_test(test_looks_are_rare),
      cmocka_unit_test(test_since),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_look_without_descriptors),
      cmocka_unit_test(test_stop_without_descriptors),
      cmocka_unit_test(test_many_stops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
