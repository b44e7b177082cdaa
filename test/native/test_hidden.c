/* A /proc that hides what is not the user's own (hidepid, proc(5)): of another user, or not dumpable. */
#define _GNU_SOURCE
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper_fixture.h"
#include "pm_fixture.h"

enum { ORDINARY = 65534, LEFT_OUT = 77 };

static char command[300];

/* The first process of a pid namespace, whose /proc is a mount of its own. */
static void be_first(void (*body)(void)) {
  alarm(100);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) _exit(LEFT_OUT);
  if (mount("proc", "/proc", "proc", 0, "hidepid=2") != 0) _exit(LEFT_OUT);
  /* Who is of group 0 sees all. */
  if (setgroups(0, NULL) != 0 || setresgid(ORDINARY, ORDINARY, ORDINARY) != 0) _exit(LEFT_OUT);
  if (setresuid(ORDINARY, ORDINARY, 0) != 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) _exit(LEFT_OUT);
  if (access(command, X_OK) != 0 || access(PM_KEEPER, X_OK) != 0) _exit(LEFT_OUT);
  body();
  _exit(0);
}

/* Does not return: no thread (as of a leak checker) can be started any more once the
 * namespace has ended. */
static void in_namespace(void (*body)(void)) {
  int status = LEFT_OUT << 8;
  if (getuid() == 0 && unshare(CLONE_NEWPID | CLONE_NEWNS) == 0) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) be_first(body);
    status = status_of(pid);
  }
  if (WEXITSTATUS(status) == LEFT_OUT) _exit(LEFT_OUT);
  assert_int_equal(status, 0);
  _exit(0);
}

static void run_or_leave_out(const char *name) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    execl("/proc/self/exe", name, name, command, (char *)NULL);
    _exit(126);
  }
  int status = status_of(pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == LEFT_OUT) {
    print_message("left out: no /proc of an own can be mounted, or it is closed to others\n");
    skip();
  }
  assert_int_equal(status, 0);
}

/* ---- who is not dumpable is asked all the same --------------------------------------- */

static void ask_hidden(void) {
  kept_t k;
  const kept_spec_t spec = {.grace = 60000};
  kept_start(&k, &spec, "hide-itself");
  kept_wait_said(&k, "ready\n", 1);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  kept_wait_said(&k, "ending\n", 1);
  assert_int_equal(kept_report(&k).status, 0);
  kept_finish(&k);

  /* Once. */
  kept_start(&k, &spec, "hide-itself", "notes");
  kept_wait_said(&k, "ready\n", 1);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  kept_wait_said(&k, "noted 15\n", 1);
  kept_order(&k, PM__KEEPER_TERMINATE, 0, true);
  kept_order(&k, PM__KEEPER_SIGNAL, SIGUSR2, true);
  kept_wait_said(&k, "noted 12\n", 1);
  assert_int_equal(kept_said(&k, "noted 15\n"), 1);
  kept_order(&k, PM__KEEPER_KILL, 0, true);
  assert_int_equal(kept_report(&k).status, SIGKILL);
  kept_finish(&k);
}

static void be_asking(void **state) {
  (void)state;
  in_namespace(ask_hidden);
}

static void test_ask(void **state) {
  (void)state;
  run_or_leave_out("ask");
}

/* ---- who cannot be looked at is counted ------------------------------------------------- */

static void count_hidden(void) {
  host_t h;
  answer_t a;
  host_init(&h);
  host_open(&h);
  host_spawn(&h, "a", command, "leader");
  host_wait_output(&h, "a", "ready\n");
  int pid = host_status(&h, "a").pid;
  host_stop(&h, "a", 0, &a);
  assert_false(host_answer(&h, &a));
  const seen_t *stop = host_find(&h, "a", PM_EVENT_STOP, 1);
  assert_false(stop->stop.gone);
  assert_int_equal(stop->stop.survivor_count, 1);
  assert_int_equal(stop->stop.survivors[0], pid);
  /* The end of the namespace is that of all in it. */
}

static void be_counting(void **state) {
  (void)state;
  in_namespace(count_hidden);
}

static void test_count(void **state) {
  (void)state;
  run_or_leave_out("count");
}

static int make_program(void **state) {
  uv_fs_t req;
  if (make_scratch_dir(state) != 0) return -1;
  snprintf(command, sizeof(command), "%s/hold-root", scratch_dir);
  if (uv_fs_copyfile(NULL, &req, PM_FIXTURES "/hold-root", command, 0, NULL) != 0) return -1;
  uv_fs_req_cleanup(&req);
  return chmod(command, 04755) | chmod(scratch_dir, 0755);
}

int main(int argc, char **argv) {
  static const body_t bodies[] = {{"ask", be_asking}, {"count", be_counting}};
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_ask), cmocka_unit_test(test_count)};
  if (argc > 2) snprintf(command, sizeof(command), "%s", argv[2]);
  if (argc > 1) return run_body(argc, argv, bodies, sizeof(bodies) / sizeof(bodies[0]));
  return has_keeper() ? cmocka_run_group_tests(tests, make_program, remove_scratch_dir) : 0;
}
