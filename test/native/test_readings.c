/* What is kept open of a process, and read in another thread. */
#include "../../csrc/core/readings.h"

#include <uv.h>

#include "../../csrc/platform/children.h"
#include "keeper_fixture.h"
#include "worker.h"

static pm__kept_t keep(int (*open)(int pid, pm__metrics_source_t *out), int pid) {
  pm__kept_t kept = PM__KEPT_NOTHING;
  assert_int_equal(open(pid, &kept.source), 0);
  return kept;
}

static bool is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

static void test_children_are_told_apart(void **state) {
  worker_t first = worker_start_idle(), second;
  pm__metrics_source_t source;
  uint64_t one, same, two;
  int pids[4];
  (void)state;
  assert_int_equal(pm__children_open(getpid(), &source), 0);
  assert_true(fcntl(source.fd, F_GETFD) & FD_CLOEXEC);
  assert_int_equal(pm__children_read(source, pids, 4, &one), 1);
  assert_int_equal(pids[0], first.pid);
  assert_int_equal(pm__children_read(source, NULL, 0, &same), 0);
  assert_true(one != 0 && one == same);
  second = worker_start_idle();
  assert_int_equal(pm__children_read(source, pids, 4, &two), 2);
  assert_true(two != one);
  assert_int_equal(pids[1], second.pid);
  assert_int_equal(pm__children_read(source, pids, 1, &same), 1);
  assert_true(same == two);
  worker_end(&second);
  assert_int_equal(pm__children_read(source, pids, 4, &same), 1);
  assert_true(same == one);
  pm__metrics_close(source);
  worker_end(&first);
}

/* More than one read brings. */
static void test_many_children(void **state) {
  enum { MANY = 700 };
  static worker_t workers[MANY];
  static int pids[MANY + 1];
  pm__metrics_source_t source;
  uint64_t digest;
  (void)state;
  for (int i = 0; i < MANY; i++)
    workers[i] = worker_start_idle();
  assert_int_equal(pm__children_open(getpid(), &source), 0);
  assert_int_equal(pm__children_read(source, pids, MANY + 1, &digest), MANY);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(pids[i], workers[i].pid);
  pm__metrics_close(source);
  for (int i = 0; i < MANY; i++)
    worker_end(&workers[i]);
}

static void test_the_list_of_who_has_gone_is_empty(void **state) {
  worker_t w = worker_start_idle();
  pm__metrics_source_t source;
  uint64_t digest = 0;
  int pid;
  (void)state;
  assert_int_equal(pm__children_open(w.pid, &source), 0);
  worker_end(&w);
  assert_true(pm__children_read(source, &pid, 1, &digest) <= 0);
  pm__metrics_close(source);
  assert_int_equal(pm__children_open(w.pid, &source), UV_ESRCH);
  assert_int_equal(source.fd, -1);
  assert_int_equal(pm__children_open(0, &source), UV_ESRCH);
}

static void test_who_has_not_run_is_known(void **state) {
  worker_t w = worker_start();
  pm__metrics_source_t source;
  uint64_t before, after;
  (void)state;
  worker_do(&w, 'b');
  assert_int_equal(pm__metrics_open_runs(w.pid, &source), 0);
  /* It has answered, and may be on its way to sleep. */
  do {
    assert_int_equal(pm__metrics_read_runs(source, &before), 0);
    usleep(20000);
    assert_int_equal(pm__metrics_read_runs(source, &after), 0);
  } while (before != after);
  worker_do(&w, 'b');
  assert_int_equal(pm__metrics_read_runs(source, &after), 0);
  assert_true(after > before);
  worker_end(&w);
  assert_int_equal(pm__metrics_read_runs(source, &after), UV_ESRCH);
  pm__metrics_close(source);
}

static void test_readings_are_those_of_each(void **state) {
  worker_t w = worker_start_idle();
  pm__kept_t usage = keep(pm__metrics_open, w.pid), children = keep(pm__children_open, getpid());
  pm__kept_t runs = keep(pm__metrics_open_runs, getpid()), nothing = PM__KEPT_NOTHING;
  pm__readings_t r = {0};
  (void)state;
  pm__readings_clear(&r);
  pm__readings_add(&r, &usage, PM__KEPT_USAGE);
  pm__readings_add(&r, &nothing, PM__KEPT_USAGE);
  pm__readings_add(&r, &children, PM__KEPT_CHILDREN);
  pm__readings_add(&r, &runs, PM__KEPT_RUNS);
  assert_int_equal(r.count, 3);
  assert_null(pm__readings_take(&r, &usage));
  uint64_t before = pm__metrics_now();
  pm__readings_begin(&r);
  pm__readings_read(&r);
  pm__readings_end(&r, true);
  const pm__reading_t *one = pm__readings_take(&r, &usage);
  assert_int_equal(one->r, 0);
  assert_int_equal(one->usage.ppid, getpid());
  assert_true(one->at >= before && r.began >= before && r.began <= one->at);
  assert_null(pm__readings_take(&r, &usage)); /* once only */
  assert_null(pm__readings_take(&r, &nothing));
  assert_true(pm__readings_take(&r, &children)->value != 0);
  assert_true(pm__readings_take(&r, &runs)->value != 0);
  pm__readings_add(&r, &usage, PM__KEPT_USAGE);
  pm__readings_clear(&r);
  assert_null(pm__readings_take(&r, &usage));
  pm__readings_close(&r, &usage);
  pm__readings_close(&r, &children);
  pm__readings_close(&r, &runs);
  pm__readings_free(&r);
  worker_end(&w);
}

static void test_closed_when_nobody_reads_from_it(void **state) {
  pm__kept_t first = keep(pm__metrics_open, getpid()), second = keep(pm__metrics_open, getpid());
  pm__kept_t other = keep(pm__metrics_open, getpid());
  int fds[] = {first.source.fd, second.source.fd, other.source.fd};
  pm__readings_t r = {0};
  (void)state;
  pm__readings_add(&r, &first, PM__KEPT_USAGE);
  pm__readings_add(&r, &second, PM__KEPT_USAGE);
  pm__readings_begin(&r);
  pm__readings_close(&r, &first);
  assert_true(first.source.fd < 0 && is_open(fds[0]));
  pm__readings_close(&r, &other); /* which is not among them */
  assert_false(is_open(fds[2]));
  pm__readings_read(&r);
  pm__readings_end(&r, true);
  assert_false(is_open(fds[0]));
  assert_true(is_open(fds[1]));
  assert_null(pm__readings_take(&r, &first));
  pm__readings_close(&r, &second);
  assert_false(is_open(fds[1]));
  pm__readings_free(&r);
}

static void test_no_memory_for_readings(void **state) {
  pm__kept_t kept = keep(pm__metrics_open, getpid());
  pm__readings_t r = {0};
  (void)state;
  alloc_fail_nth(1);
  pm__readings_add(&r, &kept, PM__KEPT_USAGE);
  alloc_fail_nth(0);
  assert_int_equal(r.count, 0);
  pm__readings_end(&r, true);
  assert_null(pm__readings_take(&r, &kept));
  pm__readings_close(&r, &kept);
}

static int check_descriptors(void **state) {
  static int descriptors;
  int now = count_descriptors();
  if (!*state) descriptors = now;
  if (*state) assert_int_equal(now, descriptors);
  *state = &descriptors;
  assert_no_child();
  return 0;
}

#define READINGS_TEST(name) cmocka_unit_test_setup_teardown(name, check_descriptors, check_descriptors)

int main(void) {
  const struct CMUnitTest tests[] = {
      READINGS_TEST(test_children_are_told_apart),
      READINGS_TEST(test_many_children),
      READINGS_TEST(test_the_list_of_who_has_gone_is_empty),
      READINGS_TEST(test_who_has_not_run_is_known),
      READINGS_TEST(test_readings_are_those_of_each),
      READINGS_TEST(test_closed_when_nobody_reads_from_it),
      READINGS_TEST(test_no_memory_for_readings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
