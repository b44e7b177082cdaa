/* A program that serves one host ends with it, whatever it is doing. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper_fixture.h"
#include "platform/raw_syscall.h"
#include "support.h"

enum { LEAVE_TIME = 500, UNHURT = 1200 };

typedef enum { PARENT, SIBLING } relation_t;

/* A host that does nothing, and what serves it: its child, or only another child of this process. */
typedef struct served {
  relation_t relation;
  pid_t host, server;
  int result; /* of pm_end_with_host */
} served_t;

typedef struct word {
  pid_t pid;
  int result;
} word_t;

static void pause_for_ever(void) {
  for (;;)
    pause();
}

/* No signal that could be blocked ends it, and no loop of it runs. */
static void serve(pid_t host, int out, void (*before)(void)) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  if (before) before();
  const word_t word = {getpid(), pm_end_with_host(host)};
  if (write(out, &word, sizeof(word)) != sizeof(word) || word.result != 0) _exit(1);
  pause_for_ever();
}

static void serve_in_child(pid_t host, int out, void (*before)(void)) {
  pid_t pid = fork();
  if (pid == 0) serve(host, out, before);
  if (pid < 0) _exit(1);
}

/* before: called by the server first. */
static served_t start(relation_t relation, void (*before)(void)) {
  int ends[2];
  word_t word;
  assert_int_equal(pipe(ends), 0);
  served_t s = {.relation = relation, .host = fork()};
  assert_true(s.host >= 0);
  if (s.host == 0) {
    if (relation == PARENT) serve_in_child(getpid(), ends[1], before);
    close(ends[1]);
    pause_for_ever();
  }
  if (relation == SIBLING) serve_in_child(s.host, ends[1], before);
  close(ends[1]);
  assert_int_equal(read(ends[0], &word, sizeof(word)), sizeof(word));
  close(ends[0]);
  s.server = word.pid;
  s.result = word.result;
  return s;
}

static void reap_host(const served_t *s) {
  assert_int_equal(WTERMSIG(status_of(s->host)), SIGKILL);
}

/* The child of a host becomes that of this process once the host has ended. Else the
 * host is a zombie meanwhile: that is an end as well. */
static void assert_ends_with_host(const served_t *s) {
  assert_int_equal(s->result, 0);
  assert_int_equal(kill(s->server, 0), 0);
  long begun = clock_ms();
  assert_int_equal(kill(s->host, SIGKILL), 0);
  if (s->relation == PARENT) reap_host(s);
  int status = status_of(s->server);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGKILL);
  /* What is left to who leaves by itself. */
  assert_true(clock_ms() - begun >= LEAVE_TIME);
  if (s->relation != PARENT) reap_host(s);
}

static bool has_pidfds(void) {
  long fd = syscall(SYS_pidfd_open, getpid(), 0);
  if (fd >= 0) close((int)fd);
  return fd >= 0;
}

static void refuse_pidfds(void) {
  refuse_call(SYS_pidfd_open, -1, 0, ENOSYS);
}

static void refuse_polls(void) {
#ifdef SYS_poll
  refuse_call(SYS_poll, -1, 0, EINVAL);
#endif
  refuse_call(SYS_ppoll, -1, 0, EINVAL);
}

static void run_out_of_memory(void) {
  alloc_fail_nth(1);
}

/* ---- the end of the host ----------------------------------------------------------------- */

static void test_a_parent(void **state) {
  (void)state;
  served_t s = start(PARENT, NULL);
  assert_ends_with_host(&s);
}

static void test_no_parent(void **state) {
  (void)state;
  if (!has_pidfds()) skip();
  served_t s = start(SIBLING, NULL);
  assert_ends_with_host(&s);
}

static void test_a_parent_without_pidfds(void **state) {
  (void)state;
  if (wants_portable()) skip();
  served_t s = start(PARENT, refuse_pidfds);
  assert_ends_with_host(&s);
}

/* Nor is a poll that fails. That nothing happens can only be waited for. */
static void test_a_host_that_lives_is_no_end(void **state) {
  (void)state;
  if (wants_portable()) skip();
  served_t all[] = {start(PARENT, NULL), start(PARENT, refuse_pidfds), start(PARENT, refuse_polls)};
  usleep(UNHURT * 1000);
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
    assert_ends_with_host(&all[i]);
}

/* ---- what cannot be watched -------------------------------------------------------------- */

static void assert_is_refused(relation_t relation, void (*before)(void), int result) {
  served_t s = start(relation, before);
  assert_int_equal(s.result, result);
  assert_int_equal(kill(s.host, SIGKILL), 0);
  reap_host(&s);
  assert_int_equal(WEXITSTATUS(status_of(s.server)), 1);
}

static void test_no_parent_and_no_pidfds(void **state) {
  (void)state;
  if (wants_portable()) skip();
  assert_is_refused(SIBLING, refuse_pidfds, UV_ESRCH);
}

static void test_no_memory(void **state) {
  (void)state;
  assert_is_refused(PARENT, run_out_of_memory, UV_ENOMEM);
}

/* Nothing is left open, and this process lives on. */
static void test_a_host_that_has_gone(void **state) {
  (void)state;
  pid_t gone = fork();
  if (gone == 0) _exit(0);
  assert_int_equal(status_of(gone), 0);
  int before = count_descriptors();
  assert_int_equal(pm_end_with_host(gone), UV_ESRCH);
  assert_int_equal(count_descriptors(), before);
}

static void test_what_is_no_process(void **state) {
  (void)state;
  assert_int_equal(pm_end_with_host(0), UV_EINVAL);
  assert_int_equal(pm_end_with_host(-1), UV_EINVAL);
}

static int open_group(void **state) {
  (void)state;
  be_subreaper();
  return 0;
}

/* Also after a test that has failed. */
static int end_all(void **state) {
  (void)state;
  end_all_strays();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_a_parent, end_all),
      cmocka_unit_test_teardown(test_no_parent, end_all),
      cmocka_unit_test_teardown(test_a_parent_without_pidfds, end_all),
      cmocka_unit_test_teardown(test_a_host_that_lives_is_no_end, end_all),
      cmocka_unit_test_teardown(test_no_parent_and_no_pidfds, end_all),
      cmocka_unit_test_teardown(test_no_memory, end_all),
      cmocka_unit_test_teardown(test_a_host_that_has_gone, end_all),
      cmocka_unit_test(test_what_is_no_process),
  };
  return cmocka_run_group_tests(tests, open_group, NULL);
}
