/* The stacks of the children between clone and exec. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/clone_linux.h"
#include "support.h"

/* Guard and room are whole pages, for every size of page that Linux has. */
static void test_size(void **state) {
  (void)state;
  const size_t kib = 1024;
  assert_int_equal(pm__stack_size(4 * kib), 32 * kib);
  assert_int_equal(pm__stack_size(8 * kib), 40 * kib);
  assert_int_equal(pm__stack_size(16 * kib), 48 * kib);
  assert_int_equal(pm__stack_size(64 * kib), 128 * kib);
  assert_int_equal(pm__stack_size(256 * kib), 512 * kib);
}

/* How a process ends that writes there. */
static int signal_of_write(char *at) {
  int status = 0;
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    signal(SIGSEGV, SIG_DFL);
    *(volatile char *)at = 1;
    _exit(0);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_guards(void **state) {
  (void)state;
  enum { COUNT = 3 };
  void *stacks = pm__stacks_map(COUNT);
  assert_non_null(stacks);
  for (int i = 0; i < COUNT; i++) {
    char *top = pm__stack_top(stacks, i);
    char *bottom = top - pm__stack_size((size_t)sysconf(_SC_PAGESIZE)) + sysconf(_SC_PAGESIZE);
    assert_true(top - bottom >= PM__STACK_ROOM);
    assert_int_equal(signal_of_write(top - 1), 0);
    assert_int_equal(signal_of_write(bottom), 0);
    assert_int_equal(signal_of_write(bottom - 1), SIGSEGV);
  }
  pm__stacks_unmap(stacks, COUNT);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_size), cmocka_unit_test(test_guards)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
