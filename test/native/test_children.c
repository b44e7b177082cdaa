/* Whether the children of a process are the same as last time, and which they are. */
#include "../../csrc/platform/children.h"

#include <uv.h>

#include "keeper_fixture.h"
#include "worker.h"

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

static int check_descriptors(void **state) {
  static int descriptors;
  int now = count_descriptors();
  if (!*state) descriptors = now;
  if (*state) assert_int_equal(now, descriptors);
  *state = &descriptors;
  assert_no_child();
  return 0;
}

#define CHILDREN_TEST(name) cmocka_unit_test_setup_teardown(name, check_descriptors, check_descriptors)

int main(void) {
  const struct CMUnitTest tests[] = {
      CHILDREN_TEST(test_children_are_told_apart),
      CHILDREN_TEST(test_many_children),
      CHILDREN_TEST(test_the_list_of_who_has_gone_is_empty),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
