/* Descendants found by /proc, and the text and directories that are read for it without libc. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper_fixture.h"
#include "platform/raw_directory.h"
#include "platform/raw_text.h"
#include "platform/tree.h"
#include "pm_fixture.h"

enum { MOST = 512, BOUND = 20000 };

/* ---- text -------------------------------------------------------------------------- */

static void test_text(void **state) {
  (void)state;
  static const unsigned long numbers[] = {0, 7, 10, 4194304, ULONG_MAX};
  char text[64];
  char expected[64];
  const char *end;
  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    memset(text, 'x', sizeof(text));
    char *at = pm__raw_put_number(pm__raw_put(text, "a/"), numbers[i]);
    snprintf(expected, sizeof(expected), "a/%lu", numbers[i]);
    assert_string_equal(text, expected);
    assert_ptr_equal(at, text + strlen(expected));
  }
  assert_ptr_equal(pm__raw_put(text, ""), text);
  assert_string_equal(text, "");
  assert_int_equal(pm__raw_number("120x", &end), 120);
  assert_string_equal(end, "x");
  assert_int_equal(pm__raw_number("-5", &end), 0);
  assert_string_equal(end, "-5");
  assert_int_equal(pm__raw_number("", NULL), 0);
  assert_int_equal(pm__raw_number("0042", NULL), 42);
}

/* ---- directories ---------------------------------------------------------------------- */

typedef struct found {
  bool names[MOST];
  int dots, others;
} found_t;

static void note_entry(void *arg, long directory, const char *name) {
  found_t *f = arg;
  const char *end;
  assert_true(directory >= 0);
  long n = pm__raw_number(name, &end);
  if (name[0] == '.') {
    f->dots++;
  } else if (*end == '\0' && n < MOST && !f->names[n]) {
    f->names[n] = true;
  } else {
    f->others++;
  }
}

/* More than one buffer full, with names of different lengths. */
static void test_directory(void **state) {
  (void)state;
  char dir[256];
  char path[300];
  found_t f = {0};
  make_scratch(dir, sizeof(dir));
  for (int i = 0; i < MOST; i++) {
    snprintf(path, sizeof(path), "%s/%0*d", dir, i % 40, i);
    assert_int_equal(mkdir(path, 0700), 0);
  }
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(pm__raw_each_entry(fd, note_entry, &f), 0);
  close(fd);
  assert_int_equal(f.dots, 2);
  assert_int_equal(f.others, 0);
  for (int i = 0; i < MOST; i++)
    assert_true(f.names[i]);
  remove_scratch(dir);
  assert_int_equal(pm__raw_each_entry(-1, note_entry, &f), -EBADF);
  fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  assert_int_equal(pm__raw_each_entry(fd, note_entry, &f), -ENOTDIR);
  close(fd);
}

/* ---- trees ------------------------------------------------------------------------------ */

/* A process of the test's and what that started. All end with the test, or when
 * life is closed. */
typedef struct family {
  pid_t root;
  int life; /* the end that is held open for them */
  int told; /* their pids come here, in the order in which they stand */
  pid_t pids[MOST];
  int count;
} family_t;

typedef struct member {
  int life, told;
} member_t;

static void stand(const member_t *m) {
  char byte;
  pid_t self = getpid();
  alarm(120);
  if (write(m->told, &self, sizeof(self)) != sizeof(self)) _exit(2);
  while (read(m->life, &byte, 1) < 0 && errno == EINTR) {
  }
  _exit(0);
}

static void *fork_in_thread(void *arg) {
  if (fork() == 0) stand(arg);
  stand(arg);
  return NULL;
}

/* Each thread has a child; the first thread has one, too. */
static void start_threads(member_t *m) {
  enum { THREADS = 5 };
  pthread_t thread;
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&thread, NULL, fork_in_thread, m) != 0) _exit(3);
  fork_in_thread(m);
}

static void start_chain(member_t *m) {
  enum { DEEP = 200 };
  for (int i = 0; i < DEEP; i++)
    if (fork() > 0) break;
  stand(m);
}

/* More in one list than a buffer holds. */
static void start_many(member_t *m) {
  enum { MANY = 300 };
  for (int i = 0; i < MANY; i++)
    if (fork() == 0) stand(m);
  stand(m);
}

static void open_family(family_t *f, void (*start)(member_t *m), int members) {
  int life[2];
  int told[2];
  assert_int_equal(pipe2(life, O_CLOEXEC), 0);
  assert_int_equal(pipe2(told, O_CLOEXEC), 0);
  fflush(NULL);
  f->root = fork();
  assert_true(f->root >= 0);
  if (f->root == 0) {
    member_t m = {life[0], told[1]};
    close(life[1]);
    start(&m);
    _exit(4);
  }
  close(life[0]);
  close(told[1]);
  f->life = life[1];
  f->told = told[0];
  for (f->count = 0; f->count < members; f->count++)
    assert_int_equal(read(f->told, &f->pids[f->count], sizeof(pid_t)), sizeof(pid_t));
}

static void close_family(family_t *f) {
  close(f->life);
  close(f->told);
  assert_all_end(BOUND);
}

static bool is_among(int pid, const int *pids, int count) {
  for (int i = 0; i < count; i++)
    if (pids[i] == pid) return true;
  return false;
}

/* Everyone but the root is listed, nobody twice, parents before their children. */
static void assert_lists(const family_t *f, int members) {
  int pids[MOST];
  int count = pm__tree_list(f->root, pids, MOST);
  assert_int_equal(count, members);
  for (int i = 0; i < f->count; i++)
    assert_true(f->pids[i] == f->root || is_among(f->pids[i], pids, count));
  for (int i = 0; i < count; i++) {
    pm__proc_stat_t stat;
    assert_false(is_among(pids[i], pids, i));
    assert_int_equal(pm__tree_stat(pids[i], &stat), 0);
    assert_true(stat.ppid == f->root || is_among(stat.ppid, pids, i));
    assert_true(pm__tree_contains(f->root, &stat));
    assert_true(pm__tree_contains(getpid(), &stat));
  }
}

/* Each thread of the root says its pid. */
static void test_children_of_threads(void **state) {
  (void)state;
  family_t f;
  open_family(&f, start_threads, 12);
  assert_lists(&f, 6);
  close_family(&f);
}

static void test_deep_chain(void **state) {
  (void)state;
  family_t f;
  open_family(&f, start_chain, 201);
  assert_lists(&f, 200);
  close_family(&f);
}

static void test_many_children(void **state) {
  (void)state;
  family_t f;
  int pids[MOST];
  open_family(&f, start_many, 301);
  assert_lists(&f, 300);
  /* No more than there is room for; what lies behind is not touched. */
  pids[7] = -7;
  assert_int_equal(pm__tree_list(f.root, pids, 7), 7);
  assert_int_equal(pids[7], -7);
  assert_int_equal(pm__tree_list(f.root, pids, 0), 0);
  close_family(&f);
}

static void test_of_nobody(void **state) {
  (void)state;
  int pids[4];
  pm__proc_stat_t stat;
  assert_int_equal(pm__tree_list(getpid(), pids, 4), 0);
  assert_true(pm__tree_list(0x3fffffff, pids, 4) < 0);
  assert_int_equal(pm__tree_stat(0x3fffffff, &stat), -ESRCH);
}

static void test_stat_of_a_zombie(void **state) {
  (void)state;
  siginfo_t info;
  pm__proc_stat_t stat;
  int pids[4];
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) _exit(0);
  assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
  assert_int_equal(pm__tree_stat(pid, &stat), -ESRCH);
  /* Its pid is taken, though. */
  assert_int_equal(pm__tree_list(getpid(), pids, 4), 1);
  assert_int_equal(pids[0], pid);
  assert_int_equal(status_of(pid), 0);
}

/* What has lost its first thread only is no zombie. */
static void test_stat_without_a_main_thread(void **state) {
  (void)state;
  int out[2];
  char text[16];
  pm__proc_stat_t stat;
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    dup2(out[1], STDOUT_FILENO);
    execl(PM_FIXTURES "/end-main-thread", "end-main-thread", NULL);
    _exit(127);
  }
  close(out[1]);
  assert_int_equal(read(out[0], text, sizeof(text)), strlen("ready\n"));
  assert_int_equal(pm__tree_stat(pid, &stat), 0);
  assert_int_equal(stat.state, 'Z');
  assert_int_equal(stat.threads, 2);
  assert_int_equal(kill(pid, SIGTERM), 0);
  assert_int_equal(status_of(pid), 0);
  close(out[0]);
}

/* ---- who belongs to it -------------------------------------------------------------------- */

static void test_contains(void **state) {
  (void)state;
  pm__proc_stat_t stat;
  pm__proc_stat_t init;
  pid_t sibling = fork();
  assert_true(sibling >= 0);
  if (sibling == 0) {
    alarm(120);
    for (;;)
      pause();
  }
  assert_int_equal(pm__tree_stat(sibling, &stat), 0);
  assert_true(pm__tree_contains(getpid(), &stat));
  assert_false(pm__tree_contains(sibling, &stat));
  assert_false(pm__tree_contains(0x3fffffff, &stat));
  assert_int_equal(pm__tree_stat(1, &init), 0);
  assert_false(pm__tree_contains(getpid(), &init));

  /* Its parent is younger than itself: the number has been given anew. */
  pm__proc_stat_t older = stat;
  older.ppid = sibling;
  older.start_time = 0;
  assert_false(pm__tree_contains(getpid(), &older));
  /* Its parent has gone. */
  older.ppid = 0x3fffffff;
  assert_false(pm__tree_contains(getpid(), &older));
  assert_int_equal(kill(sibling, SIGKILL), 0);
  assert_int_equal(status_of(sibling), SIGKILL);
}

/* ---- killing ---------------------------------------------------------------------------------- */

static void test_kill_children(void **state) {
  (void)state;
  enum { CHILDREN = 100 };
  pid_t pids[CHILDREN];
  assert_int_equal(pm__tree_kill_children(NULL), 0);
  for (int i = 0; i < CHILDREN; i++) {
    pids[i] = fork();
    assert_true(pids[i] >= 0);
    if (pids[i] > 0) continue;
    alarm(120);
    for (;;)
      pause();
  }
  assert_int_equal(pm__tree_kill_children(NULL), CHILDREN);
  for (int i = 0; i < CHILDREN; i++)
    assert_int_equal(status_of(pids[i]), SIGKILL);
  assert_int_equal(pm__tree_kill_children(NULL), 0);
}

static int open_group(void **state) {
  (void)state;
  be_subreaper();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_directory),
      cmocka_unit_test(test_children_of_threads),
      cmocka_unit_test(test_deep_chain),
      cmocka_unit_test(test_many_children),
      cmocka_unit_test(test_of_nobody),
      cmocka_unit_test(test_stat_of_a_zombie),
      cmocka_unit_test(test_stat_without_a_main_thread),
      cmocka_unit_test(test_contains),
      cmocka_unit_test(test_kill_children),
  };
  return cmocka_run_group_tests(tests, open_group, NULL);
}
