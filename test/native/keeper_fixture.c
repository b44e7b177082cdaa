#define _GNU_SOURCE
#include "keeper_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/raw_syscall.h"
#include "platform/tree.h"

enum { PATIENCE_MS = 20 * 1000, MOST_LISTED = 64 };

/* ---- ends of processes --------------------------------------------------------- */

long clock_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void be_subreaper(void) {
  assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
}

int status_of(pid_t pid) {
  int status = 0;
  long end = clock_ms() + PATIENCE_MS;
  pid_t r;
  while ((r = waitpid(pid, &status, WNOHANG | __WALL)) == 0) {
    if (clock_ms() > end) fail_msg("process %d does not end", (int)pid);
    usleep(1000);
  }
  if (r < 0) fail_msg("process %d: %s", (int)pid, strerror(errno));
  return status;
}

static void fail_with_living(const char *file, int line) {
  int pids[MOST_LISTED];
  int count = pm__tree_list(getpid(), pids, MOST_LISTED);
  for (int i = 0; i < count; i++) {
    char path[64];
    char text[256];
    snprintf(path, sizeof(path), "/proc/%d/stat", pids[i]);
    FILE *f = fopen(path, "r");
    if (f && fgets(text, sizeof(text), f)) print_error("still there: %s", text);
    if (f) fclose(f);
    kill(pids[i], SIGKILL);
  }
  print_error("%s:%d: %d processes are left\n", file, line, count);
  _fail(file, line);
}

void assert_all_end_at(int ms, const char *file, int line) {
  long end = clock_ms() + ms;
  pid_t pid;
  while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) >= 0) {
    if (pid > 0) continue;
    if (clock_ms() > end) fail_with_living(file, line);
    usleep(1000);
  }
  assert_int_equal(errno, ECHILD);
}

void wait_until_left(int n) {
  int pids[MOST_LISTED];
  long end = clock_ms() + PATIENCE_MS;
  int count;
  do {
    while (waitpid(-1, NULL, WNOHANG | __WALL) > 0) {
    }
    count = pm__tree_list(getpid(), pids, MOST_LISTED);
    if (clock_ms() > end) fail_with_living(__FILE__, __LINE__);
    usleep(1000);
  } while (count != n);
}

void end_all_strays(void) {
  while (pm__tree_kill_children(NULL) > 0)
    waitpid(-1, NULL, __WALL);
}

/* ---- hosts that are programs of their own ------------------------------------------ */

static int arguments_of_body[8];

bool has_keeper(void) {
  if (!wants_keeper()) print_message("left out: keepers are not wanted\n");
  return wants_keeper();
}

int body_argument(int n) {
  return arguments_of_body[n];
}

int run_body(int argc, char **argv, const body_t *bodies, size_t count) {
  for (int i = 2; i < argc; i++)
    arguments_of_body[i - 2] = atoi(argv[i]);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(bodies[i].name, argv[1]) != 0) continue;
    const struct CMUnitTest test[] = {{bodies[i].name, bodies[i].run, NULL, NULL, NULL}};
    alarm(100);
    return cmocka_run_group_tests_name(argv[1], test, NULL, NULL);
  }
  return 64;
}

static void be_body(const char *name, const int *arguments) {
  char text[8][16];
  char *argv[11] = {(char *)name, (char *)name};
  for (int i = 0; arguments[i] != -1; i++) {
    snprintf(text[i], sizeof(text[i]), "%d", arguments[i]);
    argv[i + 2] = text[i];
  }
  /* Only what goes wrong is said. */
  dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
  execv("/proc/self/exe", argv);
  _exit(126);
}

void in_host_argv(int status, const char *name, const int *arguments) {
  int ended = 0;
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) be_body(name, arguments);
  while (waitpid(pid, &ended, 0) < 0 && errno == EINTR) {
  }
  if (ended == status) return;
  for (int i = 0; arguments[i] != -1; i++)
    print_error("argument %d ", arguments[i]);
  end_all_strays();
  fail_msg("%s ended with status %#x instead of %#x", name, (unsigned)ended, (unsigned)status);
}

/* ---- refused system calls -------------------------------------------------------- */

void refuse_call(long nr, int argument, unsigned value, int err) {
  const unsigned at = (unsigned)offsetof(struct seccomp_data, args) + 8u * (unsigned)(argument < 0 ? 0 : argument);
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
      BPF_JUMP(BPF_JMP | (argument < 0 ? BPF_JGE : BPF_JEQ) | BPF_K, argument < 0 ? 0 : value, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    fprintf(stderr, "seccomp: %s\n", strerror(errno));
    _exit(99);
  }
}

void refuse_need(pm__keeper_need_t need) {
  if (need == PM__KEEPER_NEEDS_SUBREAPER) refuse_call(SYS_prctl, 0, PR_SET_CHILD_SUBREAPER, EPERM);
  if (need == PM__KEEPER_NEEDS_SIGNALFD) refuse_call(SYS_signalfd4, -1, 0, ENOSYS);
  if (need == PM__KEEPER_NEEDS_PIDFD) refuse_call(SYS_pidfd_open, -1, 0, EPERM);
  if (need == PM__KEEPER_NEEDS_ROOM) refuse_call(SYS_signalfd4, -1, 0, ENFILE);
  if (need == PM__KEEPER_NEEDS_PROC) refuse_call(SYS_openat, 2, O_RDONLY | O_CLOEXEC, EACCES);
}

pm_keeper_t *open_keeper_copy(const char *dir, char *path, size_t size) {
  uv_fs_t req;
  pm_keeper_t *keeper;
  pm_error_t error;
  snprintf(path, size, "%s/keeper", dir);
  assert_int_equal(uv_fs_copyfile(NULL, &req, PM_KEEPER, path, 0, NULL), 0);
  uv_fs_req_cleanup(&req);
  assert_int_equal(chmod(path, 0755), 0);
  assert_int_equal(pm_keeper_open(path, &keeper, &error), 0);
  return keeper;
}

/* ---- a keeper by hand ------------------------------------------------------------- */

/* What the forked processes need; they call nothing that takes a lock. */
typedef struct start {
  char argument[5][24];
  char command[512];
  const char *const *argv;
  int socket[2], out[2], told[2], executed[2];
  long refused;
} start_t;

/* executed ends with its exec. */
static void be_command(const start_t *s) {
  sigset_t none;
  sigemptyset(&none);
  setpgid(0, 0);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  dup2(s->out[1], STDOUT_FILENO);
  dup3(s->executed[1], 3, O_CLOEXEC);
  close_range(4, ~0u, 0);
  execv(s->command, (char *const *)s->argv);
  _exit(127);
}

/* As in the engine, the command executes its program first: under valgrind a signal
 * that comes before would be lost. */
static void await_command(const start_t *s) {
  char byte;
  close(s->executed[1]);
  if (read(s->executed[0], &byte, 1) != 0) _exit(125);
}

static void be_keeper(start_t *s) {
  sigset_t all;
  char *argv[7] = {PM__KEEPER_NAME};
  char *const envp[] = {NULL};
  sigfillset(&all);
  setsid();
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  sigprocmask(SIG_BLOCK, &all, NULL);
  pid_t pids[2] = {getpid(), fork()};
  if (pids[1] == 0) be_command(s);
  await_command(s);
  if (write(s->told[1], pids, sizeof(pids)) != sizeof(pids)) _exit(126);
  snprintf(s->argument[1], sizeof(s->argument[1]), "%d", (int)pids[1]);
  for (int i = 0; i < 5; i++)
    argv[i + 1] = s->argument[i];
  dup2(s->socket[1], PM__KEEPER_SOCKET);
  close_range(1, ~0u, CLOSE_RANGE_CLOEXEC);
  if (s->refused) refuse_call(s->refused, -1, 0, ENFILE);
  execve(PM_KEEPER, argv, envp);
  _exit(127);
}

static void be_host(start_t *s) {
  close(s->socket[0]);
  if (fork() == 0) be_keeper(s);
  close_range(3, ~0u, 0);
  for (;;)
    pause();
}

static void describe(start_t *s, const kept_spec_t *spec, const char *const *argv) {
  snprintf(s->command, sizeof(s->command), "%s/%s", PM_FIXTURES, argv[0]);
  s->argv = argv;
  s->refused = spec->refused;
  snprintf(s->argument[2], sizeof(s->argument[2]), "%ld", spec->grace);
  snprintf(s->argument[3], sizeof(s->argument[3]), "%d", spec->signum ? spec->signum : SIGTERM);
  snprintf(s->argument[4], sizeof(s->argument[4]), "%d", spec->flags);
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->socket), 0);
  assert_int_equal(pipe2(s->out, O_CLOEXEC), 0);
  assert_int_equal(pipe2(s->told, O_CLOEXEC), 0);
  assert_int_equal(pipe2(s->executed, O_CLOEXEC), 0);
}

/* The parent's number is only known once that has been forked. */
static pid_t fork_host(start_t *s, const kept_spec_t *spec) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid > 0) return pid;
  pid_t parent = spec->own_host ? getpid() : getppid();
  snprintf(s->argument[0], sizeof(s->argument[0]), "%d", (int)(spec->parent ? spec->parent : parent));
  alarm(120);
  if (spec->own_host) be_host(s);
  alarm(0);
  be_keeper(s);
  return 0;
}

/* told ends with the keeper's exec. */
void kept_start_argv(kept_t *k, const kept_spec_t *spec, const char *const *argv) {
  start_t s = {0};
  pid_t pids[2];
  char byte;
  describe(&s, spec, argv);
  pid_t pid = fork_host(&s, spec);
  close(s.socket[1]);
  close(s.out[1]);
  close(s.told[1]);
  close(s.executed[0]);
  close(s.executed[1]);
  assert_int_equal(read(s.told[0], pids, sizeof(pids)), sizeof(pids));
  assert_int_equal(read(s.told[0], &byte, 1), 0);
  close(s.told[0]);
  *k = (kept_t){.host = spec->own_host ? pid : getpid(),
                .keeper = pids[0],
                .command = pids[1],
                .socket = s.socket[0],
                .out = s.out[0]};
}

void kept_order(const kept_t *k, pm__keeper_order_kind_t kind, int signum, bool tree) {
  const pm__keeper_order_t order = {.kind = kind, .signum = signum, .tree = tree};
  assert_int_equal(send(k->socket, &order, sizeof(order), MSG_NOSIGNAL), sizeof(order));
}

void kept_hang_up(kept_t *k) {
  close(k->socket);
  k->socket = -1;
}

static void await_readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  int r;
  do {
    r = poll(&p, 1, PATIENCE_MS);
  } while (r < 0 && errno == EINTR);
  if (r == 0) fail_msg("20 s have passed");
}

/* False at the end. */
static bool hear(kept_t *k) {
  await_readable(k->out);
  assert_true(k->len < sizeof(k->text) - 1);
  ssize_t n = read(k->out, k->text + k->len, sizeof(k->text) - 1 - k->len);
  assert_true(n >= 0);
  k->len += (size_t)n;
  k->text[k->len] = '\0';
  return n > 0;
}

int kept_said(const kept_t *k, const char *word) {
  int n = 0;
  for (const char *at = strstr(k->text, word); at; at = strstr(at + 1, word))
    n++;
  return n;
}

void kept_wait_said(kept_t *k, const char *word, int n) {
  while (kept_said(k, word) < n)
    if (!hear(k)) fail_msg("\"%s\" was not said %d times, but: %s", word, n, k->text);
}

pid_t kept_pid_said(kept_t *k, const char *word) {
  const char *at = strstr(k->text, word);
  while (!at || !strchr(at, '\n')) {
    assert_true(hear(k));
    at = strstr(k->text, word);
  }
  return atoi(at + strlen(word));
}

pm__keeper_report_t kept_report(const kept_t *k) {
  pm__keeper_report_t report;
  await_readable(k->socket);
  assert_int_equal(recv(k->socket, &report, sizeof(report), 0), sizeof(report));
  return report;
}

void kept_finish(kept_t *k) {
  pm__keeper_report_t unread;
  while (hear(k)) {
  }
  close(k->out);
  if (k->socket >= 0) {
    do {
      await_readable(k->socket);
    } while (recv(k->socket, &unread, sizeof(unread), 0) > 0);
    kept_hang_up(k);
  }
  assert_int_equal(status_of(k->keeper), 0);
}
