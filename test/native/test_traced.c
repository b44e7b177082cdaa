/* Commands that end while a debugger holds them: it is told once they can be reaped, and truly. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pm_fixture.h"

/* A debugger: it lets its command run through all signals, but never takes its
 * zombie. It lets go by being killed. */
typedef struct tracer {
  pid_t pid;
} tracer_t;

static void let_run(pid_t command) {
  siginfo_t info = {0};
  if (waitid(P_PID, (id_t)command, &info, WSTOPPED | WNOHANG | __WALL) != 0 || info.si_pid == 0) return;
  int event = info.si_status >> 8;
  ptrace(PTRACE_CONT, command, NULL, (void *)(intptr_t)(event ? 0 : info.si_status));
}

static void trace(pid_t command, int told) {
  alarm(60);
  unsigned char err = ptrace(PTRACE_SEIZE, command, NULL, NULL) == 0 ? 0 : (unsigned char)errno;
  if (write(told, &err, 1) != 1) abort();
  for (;;) {
    if (err == 0) let_run(command);
    usleep(1000);
  }
}

static bool seize(tracer_t *t, pid_t command) {
  int told[2];
  unsigned char err = 255;
  assert_int_equal(pipe(told), 0);
  t->pid = fork();
  assert_true(t->pid >= 0);
  if (t->pid == 0) trace(command, told[1]);
  close(told[1]);
  assert_int_equal(read(told[0], &err, 1), 1);
  close(told[0]);
  if (err == 0) return true;
  if (err != EPERM && err != ENOSYS) fail_msg("ptrace: %d", err);
  return false;
}

static void let_go(tracer_t *t) {
  assert_int_equal(kill(t->pid, SIGKILL), 0);
  assert_int_equal(waitpid(t->pid, NULL, 0), t->pid);
}

/* Starts "a", which ends with 0 on SIGTERM, and has it traced. */
static void open_host(host_t *h, tracer_t *t) {
  host_init(h);
  host_open(h);
  host_spawn(h, "a", "slow-term", "0");
  host_wait_output(h, "a", "ready\n");
  if (seize(t, host_status(h, "a").pid)) return;
  let_go(t);
  host_close(h);
  print_message("left out: processes may not be traced here\n");
  skip();
}

/* Long enough for several looks. */
enum { A_WHILE = 200 };

static void test_end_by_itself(void **state) {
  (void)state;
  host_t h;
  tracer_t t;
  open_host(&h, &t);
  int pid = host_status(&h, "a").pid;
  assert_int_equal(kill(pid, SIGTERM), 0);
  wait_until_ended(pid);
  host_pass_time(&h, A_WHILE);
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 0);
  assert_state(&h, "a", "running", "running");
  /* What it wrote is not held back. */
  assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, "ready\nending\n");

  let_go(&t);
  const seen_t *exit = host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(exit->code, 0);
  assert_string_equal(exit->signal, "");
  assert_int_equal(exit->pid, pid);
  host_wait_idle(&h);
  assert_state(&h, "a", "stopped", "exited");
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 1);
  host_close(&h);
}

static void test_end_by_a_stop(void **state) {
  (void)state;
  host_t h;
  tracer_t t;
  answer_t a;
  open_host(&h, &t);
  int pid = host_status(&h, "a").pid;
  host_stop(&h, "a", 60000, &a);
  wait_until_ended(pid);
  host_pass_time(&h, A_WHILE);
  assert_int_equal(a.times, 0);
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 0);

  let_go(&t);
  assert_true(host_answer(&h, &a));
  assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
  assert_string_equal(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.step, "SIGTERM");
  assert_true(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.gone);
  assert_state(&h, "a", "stopped", "exited");
  host_close(&h);
}

/* The stop comes when it is held already. */
static void test_stop_of_a_held_one(void **state) {
  (void)state;
  host_t h;
  tracer_t t;
  answer_t a;
  open_host(&h, &t);
  int pid = host_status(&h, "a").pid;
  assert_int_equal(kill(pid, SIGTERM), 0);
  wait_until_ended(pid);
  host_pass_time(&h, A_WHILE);
  host_stop(&h, "a", 60000, &a);
  host_pass_time(&h, A_WHILE);
  assert_int_equal(a.times, 0);
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 0);
  let_go(&t);
  assert_true(host_answer(&h, &a));
  assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
  host_close(&h);
}

/* ---- the keeper ----------------------------------------------------------------- */

static int parent_of(int pid) {
  char path[64];
  char text[512];
  int parent = 0;
  snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
  fclose(file);
  assert_int_equal(sscanf(strrchr(text, ')'), ") %*c %d", &parent), 1);
  return parent;
}

static void leave_out(host_t *h) {
  host_close(h);
  print_message("left out: there is no keeper, or it may not be traced here\n");
  skip();
}

/* The zombie of a keeper may be held as well: then the command's end is told, but
 * its tree is not known to be gone. */
static void test_stop_with_a_held_keeper(void **state) {
  (void)state;
  host_t h;
  tracer_t t;
  answer_t a;
  host_init(&h);
  host_open(&h);
  host_spawn(&h, "a", "slow-term", "0");
  host_wait_output(&h, "a", "ready\n");
  int pid = host_status(&h, "a").pid;
  int keeper = parent_of(pid);
  if (!is_kept(&h, "a") || !seize(&t, keeper)) {
    leave_out(&h);
    return;
  }
  host_stop(&h, "a", 60000, &a);
  wait_until_ended(keeper);
  assert_false(is_running(pid));
  host_pass_time(&h, A_WHILE);
  assert_int_equal(a.times, 0);
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 1);
  /* It is waited for without turning the loop for nothing. */
  clock_t before = clock();
  host_pass_time(&h, A_WHILE);
  assert_true((clock() - before) * 1000 / CLOCKS_PER_SEC < A_WHILE / 2);

  let_go(&t);
  assert_true(host_answer(&h, &a));
  assert_int_equal(host_find(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 0);
  assert_true(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.gone);
  host_close(&h);
}

/* When it ends the command has ended long ago, and there is no deadline at which it would
 * be looked for. */
static void test_stop_without_end_with_a_held_keeper(void **state) {
  (void)state;
  host_t h;
  tracer_t t;
  answer_t a;
  host_init(&h);
  host_open(&h);
  host_spawn(&h, "a", "leave-daemon", "stubborn");
  int daemon = host_grandchild(&h, "a");
  int keeper = parent_of(host_status(&h, "a").pid);
  if (!is_kept(&h, "a") || !seize(&t, keeper)) {
    leave_out(&h);
    return;
  }
  host_stop(&h, "a", INFINITY, &a);
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  assert_int_equal(kill(daemon, SIGKILL), 0);
  wait_until_ended(keeper);
  host_pass_time(&h, A_WHILE);
  assert_int_equal(a.times, 0);
  let_go(&t);
  assert_true(host_answer(&h, &a));
  assert_true(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.gone);
  assert_int_equal(host_count(&h, "a", PM_EVENT_ERROR), 0);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_end_by_itself),
      cmocka_unit_test(test_end_by_a_stop),
      cmocka_unit_test(test_stop_of_a_held_one),
      cmocka_unit_test(test_stop_with_a_held_keeper),
      cmocka_unit_test(test_stop_without_end_with_a_held_keeper),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
