/* Stops, restarts and starts of what the host may not kill: processes of root, while the host is an ordinary user. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/internal.h"
#include "core/table.h"
#include "keeper_fixture.h"
#include "platform/spawn_linux_child.h"
#include "platform/tree.h"
#include "pm_fixture.h"

enum { ORDINARY = 65534 };

static char dir[256];
static char command[300];

/* root stays the saved id, so that the way back is open; but signals are allowed
 * by the others only (kill(2)). Without the flag an own /proc/self/fd is closed. */
static bool become(uid_t user) {
  return setresuid(user, user, 0) == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static const char *reason_to_skip(void) {
  struct statvfs fs;
  if (getuid() != 0) return "it needs root, to be a user who may not kill";
  if (statvfs(dir, &fs) != 0 || (fs.f_flag & ST_NOSUID)) return "the scratch directory takes no setuid programs";
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0) return "setuid programs gain nothing here";
  if (!become(ORDINARY)) return "there is no ordinary user here";
  bool allowed = access(command, X_OK) == 0;
  assert_true(become(0));
  return allowed ? NULL : "the scratch directory is closed to others";
}

static int make_program(void **state) {
  (void)state;
  uv_fs_t req;
  make_scratch(dir, sizeof(dir));
  snprintf(command, sizeof(command), "%s/hold-root", dir);
  if (uv_fs_copyfile(NULL, &req, PM_FIXTURES "/hold-root", command, 0, NULL) != 0) return -1;
  uv_fs_req_cleanup(&req);
  return chmod(command, 04755) | chmod(dir, 0755);
}

static int remove_program(void **state) {
  (void)state;
  remove_scratch(dir);
  return 0;
}

/* Also after a test that has failed. */
static int be_root_again(void **state) {
  (void)state;
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  if (getuid() != 0) return become(0) ? 0 : -1;
  return 0;
}

/* For broken ones the keeper's program cannot be executed any more. */
static void open_host_with(host_t *h, bool broken) {
  char path[300];
  const char *reason = reason_to_skip();
  if (reason) {
    print_message("left out: %s\n", reason);
    skip();
  }
  host_init(h);
  h->options.value[PM_OPT_STOP_TIMEOUT] = 10;
  if (broken) h->keeper = open_keeper_copy(dir, path, sizeof(path));
  host_open(h);
  if (broken) assert_int_equal(chmod(path, 0600), 0);
  assert_true(become(ORDINARY));
}

static void open_host(host_t *h) {
  open_host_with(h, false);
}

static void close_host(host_t *h) {
  assert_true(become(0));
  host_close(h);
}

static int spawn_leader(host_t *h) {
  host_spawn(h, "a", command, "leader");
  host_wait_output(h, "a", "ready\n");
  return host_status(h, "a").pid;
}

static int spawn_member(host_t *h) {
  host_spawn(h, "a", command, "member");
  return host_grandchild(h, "a");
}

/* Its leader exits by itself. */
static int spawn_left_behind(host_t *h) {
  host_spawn(h, "a", command, "member", "0");
  host_wait(h, "a", PM_EVENT_EXIT, 1);
  assert_state(h, "a", "stopped", "stopping");
  return host_grandchild(h, "a");
}

static void kill_as_root(int pid) {
  assert_int_equal(kill(pid, SIGKILL), -1);
  assert_true(become(0));
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_true(become(ORDINARY));
}

static void assert_survives(host_t *h, size_t nth_stop, int pid) {
  const seen_t *stop = host_find(h, "a", PM_EVENT_STOP, nth_stop);
  assert_non_null(stop);
  assert_int_equal(host_count(h, "a", PM_EVENT_STOP), nth_stop);
  assert_false(stop->stop.gone);
  assert_string_equal(stop->stop.step, "SIGKILL");
  assert_int_equal(stop->stop.survivor_count, 1);
  assert_int_equal(stop->stop.survivors[0], pid);
  assert_true(is_running(pid));
  assert_state(h, "a", "stopped", "stopping");
}

static void assert_ended_for_good(host_t *h) {
  host_wait_idle(h);
  assert_state(h, "a", "stopped", "exited");
  assert_int_equal(host_count(h, "a", PM_EVENT_SPAWN), 1);
  assert_int_equal(host_count(h, "a", PM_EVENT_EXIT), 1);
  assert_int_equal(host_status(h, "a").restarts, 0);
}

/* ---- stops ------------------------------------------------------------------------ */

static void test_stop_of_a_member(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  open_host(&h);
  int pid = spawn_member(&h);
  host_stop(&h, "a", 10, &a);
  assert_false(host_answer(&h, &a));
  assert_survives(&h, 1, pid);
  /* Its leader could be ended, and was. */
  const seen_t *exit = host_find(&h, "a", PM_EVENT_EXIT, 1);
  assert_string_equal(exit->signal, "SIGTERM");
  assert_true(host_place(&h, exit) < host_place(&h, host_find(&h, "a", PM_EVENT_STOP, 1)));
  assert_int_equal(pm_process_remove(h.m, str("a")), UV_EBUSY);

  /* Whoever asks again gets a new try. */
  host_stop(&h, "a", 10, &a);
  assert_false(host_answer(&h, &a));
  assert_survives(&h, 2, pid);
  host_stop(&h, "a", 10, &a);
  host_turn(&h, 3);
  assert_int_equal(a.times, 0);
  kill_as_root(pid);
  assert_true(host_answer(&h, &a));
  assert_true(host_find(&h, "a", PM_EVENT_STOP, 3)->stop.gone);
  assert_false(is_running(pid));
  assert_ended_for_good(&h);
  close_host(&h);
}

/* It goes in the end, when nobody asks any more. */
static void test_stop_of_a_leader(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  open_host(&h);
  int pid = spawn_leader(&h);
  host_stop(&h, "a", 0, &a);
  assert_false(host_answer(&h, &a));
  assert_survives(&h, 1, pid);
  assert_int_equal(host_count(&h, "a", PM_EVENT_EXIT), 0);
  assert_int_equal(host_status(&h, "a").pid, pid);
  kill_as_root(pid);
  assert_string_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->signal, "SIGKILL");
  assert_ended_for_good(&h);
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 1);
  assert_int_equal(a.times, 1);
  close_host(&h);
}

/* What is below it may be killed, and then it ends by itself (as sudo does). */
static void test_stop_of_what_is_below(void **state) {
  (void)state;
  const pm_containment_t kept[] = {PM_CONTAINMENT_TREE, PM_CONTAINMENT_NESTED};
  for (size_t i = 0; i < 2; i++) {
    host_t h;
    answer_t a;
    open_host(&h);
    h.options.value[PM_OPT_CONTAINMENT] = kept[i];
    host_spawn(&h, "a", command, "above");
    int below = host_grandchild(&h, "a");
    host_stop(&h, "a", 10, &a);
    assert_true(host_answer(&h, &a));
    assert_false(is_running(below));
    assert_string_equal(host_find(&h, "a", PM_EVENT_STOP, 1)->stop.step, "SIGKILL");
    assert_ended_for_good(&h);
    close_host(&h);
  }
}

/* Its keeper is lost, and to look for it means to look at all processes: not whenever
 * somebody asks. */
static void test_looks_for_what_a_lost_keeper_left(void **state) {
  (void)state;
  enum { FIRST_LOOKS = 8 };
  host_t h;
  if (!wants_keeper()) skip();
  open_host(&h);
  int pid = spawn_leader(&h);
  pm__child_t *child = &pm__table_find(h.m, str("a"))->run->child;
  assert_int_equal(kill(child->keeper, SIGKILL), 0);
  while (child->looks < FIRST_LOOKS)
    host_pass_time(&h, 1);
  child->look_after = UINT64_MAX;
  kill_as_root(pid);
  wait_until_ended(pid);
  assert_false(pm__child_gone(child));
  child->look_after = 0;
  host_wait(&h, "a", PM_EVENT_EXIT, 1);
  host_wait_idle(&h);
  assert_string_equal(host_find(&h, "a", PM_EVENT_ERROR, 1)->error.code, "ERR_KEEPER_LOST");
  close_host(&h);
}

/* ---- restarts ---------------------------------------------------------------------- */

/* Refused once, it does not happen later. */
static void test_restart(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  open_host(&h);
  int pid = spawn_leader(&h);
  host_restart(&h, "a", &a);
  assert_false(host_answer(&h, &a));
  assert_survives(&h, 1, pid);
  kill_as_root(pid);
  assert_ended_for_good(&h);
  assert_int_equal(a.times, 1);
  close_host(&h);
}

/* A restart after a stop that was answered by false is a new try, too. */
static void test_restart_after_a_stop(void **state) {
  (void)state;
  host_t h;
  answer_t stop;
  answer_t first;
  answer_t second;
  open_host(&h);
  int pid = spawn_leader(&h);
  host_stop(&h, "a", 0, &stop);
  assert_false(host_answer(&h, &stop));
  host_restart(&h, "a", &first);
  assert_false(host_answer(&h, &first));
  assert_survives(&h, 2, pid);

  host_restart(&h, "a", &second);
  kill_as_root(pid);
  assert_true(host_answer(&h, &second));
  assert_int_equal(host_count(&h, "a", PM_EVENT_SPAWN), 2);
  assert_int_equal(host_status(&h, "a").restarts, 1);
  assert_int_equal(first.times, 1);

  /* A keeper is the ordinary user's for good, whoever closes the host. */
  host_wait_output(&h, "a", "ready\nready\n");
  kill_as_root(host_status(&h, "a").pid);
  host_wait(&h, "a", PM_EVENT_EXIT, 2);
  host_wait_idle(&h);
  close_host(&h);
}

static void test_restart_while_sweeping(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  open_host(&h);
  int pid = spawn_left_behind(&h);
  host_restart(&h, "a", &a);
  assert_false(host_answer(&h, &a));
  assert_survives(&h, 1, pid);
  kill_as_root(pid);
  assert_ended_for_good(&h);
  assert_int_equal(a.times, 1);
  close_host(&h);
}

/* The sweep has given up before anybody asked. */
static void test_requests_after_a_vain_sweep(void **state) {
  (void)state;
  host_t h;
  answer_t a;
  open_host(&h);
  int pid = spawn_left_behind(&h);
  while (!pm__table_find(h.m, str("a"))->ladder.reported)
    host_pass_time(&h, 1);
  assert_int_equal(host_count(&h, "a", PM_EVENT_STOP), 0);
  host_restart(&h, "a", &a);
  assert_false(host_answer(&h, &a));
  assert_survives(&h, 1, pid);
  kill_as_root(pid);
  assert_ended_for_good(&h);
  assert_int_equal(a.times, 1);
  close_host(&h);
}

/* ---- the host's own end ------------------------------------------------------------- */

/* All together hold it up no longer than one does. */
static void test_end_of_the_host(void **state) {
  (void)state;
  enum { MANY = 8, EACH = 500 };
  static const char *const ids[MANY] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  host_t h;
  int pids[MANY];
  open_host(&h);
  h.options.value[PM_OPT_PRIVATE_WORKING_DIR] = 1;
  for (int i = 0; i < MANY; i++) {
    host_spawn(&h, ids[i], command, "leader");
    host_wait_output(&h, ids[i], "ready\n");
    pids[i] = host_status(&h, ids[i]).pid;
  }
  long begin = clock_ms();
  pm_manager_kill_all(h.m);
  assert_true(clock_ms() - begin < MANY * EACH * 3 / 4);
  for (int i = 0; i < MANY; i++) {
    kill_as_root(pids[i]);
    host_wait(&h, ids[i], PM_EVENT_EXIT, 1);
  }
  host_wait_idle(&h);
  close_host(&h);
}

/* ---- starts that fail --------------------------------------------------------------- */

enum { MOST_LISTED = 16, BOUND = 20000 };

/* Whether it has become root for good: by then an ordinary user may not kill it. */
static bool is_root(int pid) {
  char path[64];
  char line[256];
  unsigned real = ORDINARY;
  snprintf(path, sizeof(path), "/proc/%d/status", pid);
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof(line), file))
    sscanf(line, "Uid: %u", &real);
  if (file) fclose(file);
  return real == 0;
}

/* What a host is starting: the keeper-to-be that has stopped itself, and its command once
 * that is root. */
static bool find_start(int host, int *stopped, int *root) {
  int pids[MOST_LISTED];
  int count = pm__tree_list(host, pids, MOST_LISTED);
  *stopped = *root = 0;
  for (int i = 0; i < count && i < MOST_LISTED; i++) {
    pm__proc_stat_t stat;
    if (pids[i] == getpid() || pm__tree_stat(pids[i], &stat) != 0) continue;
    if (stat.state == 'T') *stopped = pids[i];
    if (is_root(pids[i])) *root = pids[i];
  }
  return *stopped && *root;
}

/* The host stands still while it starts something. So another process, which is root,
 * sends the signal, and tells which is the command. */
typedef struct helper {
  pid_t pid;
  int told;
} helper_t;

static helper_t start_helper(int signum) {
  int told[2];
  int stopped;
  int root;
  assert_int_equal(pipe(told), 0);
  helper_t helper = {.pid = fork(), .told = told[0]};
  assert_true(helper.pid >= 0);
  if (helper.pid == 0) {
    alarm(50);
    while (!find_start(getppid(), &stopped, &root))
      usleep(1000);
    kill(stopped, signum);
    _exit(write(told[1], &root, sizeof(root)) != sizeof(root));
  }
  close(told[1]);
  return helper;
}

static int finish_helper(helper_t *helper) {
  int root;
  assert_int_equal(read(helper->told, &root, sizeof(root)), sizeof(root));
  close(helper->told);
  assert_int_equal(status_of(helper->pid), 0);
  return root;
}

typedef struct start {
  pm_containment_t containment;
  int signum; /* to the keeper-to-be, when the command is root */
  int passed; /* of two, those that go on */
  bool broken;
} start_t;

/* Opens the host; the next start stops when the command has been executed, until that is
 * root. */
static helper_t open_host_to_stop_in(host_t *h, const start_t *start) {
  if (!wants_keeper()) {
    print_message("left out: keepers are not wanted\n");
    skip();
  }
  open_host_with(h, start->broken);
  h->options.value[PM_OPT_CONTAINMENT] = start->containment;
  be_subreaper();
  assert_true(become(0));
  helper_t helper = start_helper(start->signum);
  assert_true(become(ORDINARY));
  pm__launch_fault_at = PM__FAULT_BETWEEN_EXECS;
  pm__launch_fault_signum = SIGSTOP;
  pm__launch_fault_skip = start->passed;
  return helper;
}

/* The start has failed at that step, although the command lives. */
static void assert_failed_start(host_t *h, helper_t *helper, const char *step) {
  pm__launch_fault_signum = 0;
  assert_string_equal(host_wait(h, "a", PM_EVENT_ERROR, 1)->error.syscall, step);
  assert_state(h, "a", "error", "failed");
  int pid = finish_helper(helper);
  assert_true(is_running(pid));
  kill_as_root(pid);
  assert_all_end(BOUND);
}

static void fail_to_start(const start_t *start) {
  host_t h;
  helper_t helper = open_host_to_stop_in(&h, start);
  host_spawn(&h, "a", command, "leader");
  assert_failed_start(&h, &helper, "keeper");
  close_host(&h);
}

static void test_start_whose_keeper_is_killed(void **state) {
  (void)state;
  fail_to_start(&(start_t){.containment = PM_CONTAINMENT_TREE, .signum = SIGKILL});
}

/* The inner one works already, and goes on. */
static void test_start_whose_outer_keeper_is_killed(void **state) {
  (void)state;
  fail_to_start(&(start_t){.containment = PM_CONTAINMENT_NESTED, .signum = SIGKILL, .passed = 1});
}

/* The keeper-to-be is to end the command, and may not. */
static void test_start_whose_keeper_cannot_be_executed(void **state) {
  (void)state;
  fail_to_start(&(start_t){.containment = PM_CONTAINMENT_TREE, .signum = SIGCONT, .broken = true});
  fail_to_start(&(start_t){.containment = PM_CONTAINMENT_NESTED, .signum = SIGCONT, .broken = true});
}

/* ---- what the loop cannot watch ------------------------------------------------------ */

static bool nothing_can_be_watched;

/* Stands before libc's. */
int epoll_ctl(int set, int operation, int fd, struct epoll_event *event) {
  int (*next)(int set, int operation, int fd, struct epoll_event *event);
  *(void **)&next = dlsym(RTLD_NEXT, "epoll_ctl");
  if (!nothing_can_be_watched || operation != EPOLL_CTL_ADD) return next(set, operation, fd, event);
  errno = ENOSPC;
  return -1;
}

static void test_start_that_cannot_be_watched(void **state) {
  (void)state;
  for (pm_containment_t c = PM_CONTAINMENT_TREE; c <= PM_CONTAINMENT_NESTED; c++) {
    host_t h;
    helper_t helper = open_host_to_stop_in(&h, &(start_t){.containment = c, .signum = SIGCONT});
    assert_int_equal(pm__poller_prepare(&h.m->poller), 0);
    nothing_can_be_watched = true;
    host_spawn(&h, "a", command, "leader");
    nothing_can_be_watched = false;
    assert_failed_start(&h, &helper, "epoll_ctl");
    close_host(&h);
  }
}

#define as_ordinary_user(test) cmocka_unit_test_teardown((test), be_root_again)

int main(void) {
  const struct CMUnitTest tests[] = {
      as_ordinary_user(test_stop_of_a_member),
      as_ordinary_user(test_stop_of_a_leader),
      as_ordinary_user(test_stop_of_what_is_below),
      as_ordinary_user(test_looks_for_what_a_lost_keeper_left),
      as_ordinary_user(test_restart),
      as_ordinary_user(test_restart_after_a_stop),
      as_ordinary_user(test_restart_while_sweeping),
      as_ordinary_user(test_requests_after_a_vain_sweep),
      as_ordinary_user(test_end_of_the_host),
      as_ordinary_user(test_start_whose_keeper_is_killed),
      as_ordinary_user(test_start_whose_outer_keeper_is_killed),
      as_ordinary_user(test_start_whose_keeper_cannot_be_executed),
      as_ordinary_user(test_start_that_cannot_be_watched),
  };
  return cmocka_run_group_tests(tests, make_program, remove_program);
}
