/* Private working directories: closed to others, kept over restarts, removed with all that is in them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/private_directory.h"
#include "pm_fixture.h"

static void open_host(host_t *h) {
  host_init(h);
  h->options.value[PM_OPT_PRIVATE_WORKING_DIR] = 1;
  host_open(h);
}

static bool exists(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

/* The last line of output, which must be a path. */
static void read_path(host_t *h, const char *id, const char *before, char *path, size_t size) {
  host_wait_output(h, id, before);
  const char *text = host_output(h, id, PM_STDOUT)->bytes;
  const char *start = strstr(text, "/");
  while (!start || !strchr(start, '\n')) {
    h->news = false;
    run_until(&h->loop, &h->news);
    text = host_output(h, id, PM_STDOUT)->bytes;
    start = strstr(text, "/");
  }
  snprintf(path, size, "%.*s", (int)strcspn(start, "\n"), start);
}

static void test_is_private_and_removed(void **state) {
  (void)state;
  host_t h;
  char path[1024];
  char outside[256];
  char inside[300];
  make_scratch(outside, sizeof(outside));
  snprintf(inside, sizeof(inside), "%s/kept", outside);
  assert_int_equal(mkdir(inside, 0755), 0);
  open_host(&h);
  host_spawn(&h, "a", "fill-directory", outside);
  read_path(&h, "a", "\n", path, sizeof(path));
  struct stat st;
  assert_int_equal(lstat(path, &st), 0);
  assert_true(S_ISDIR(st.st_mode));
  assert_int_equal(st.st_mode & 0077, 0);
  assert_int_equal(st.st_uid, getuid());
  host_end(&h, "a");
  host_wait_idle(&h);
  assert_false(exists(path));
  assert_true(exists(inside));
  host_close(&h);
  remove_scratch(outside);
}

static void test_is_kept_over_restarts(void **state) {
  (void)state;
  host_t h;
  char first[1024];
  char second[1024];
  open_host(&h);
  h.options.value[PM_OPT_AUTO_RESTART] = 1;
  h.options.value[PM_OPT_MAX_RESTARTS] = 2;
  host_spawn(&h, "a", "crash-until", "starts", "1");
  host_wait_output(&h, "a", "ready\n");
  snprintf(first, sizeof(first), "/proc/%d/cwd", host_status(&h, "a").pid);
  ssize_t len = readlink(first, second, sizeof(second) - 1);
  assert_true(len > 0);
  second[len] = '\0';
  /* crash-until counted its starts there: the second found what the first left. */
  assert_int_equal(host_status(&h, "a").restarts, 1);
  answer_t a;
  host_restart(&h, "a", &a);
  assert_true(host_answer(&h, &a));
  snprintf(first, sizeof(first), "/proc/%d/cwd", host_status(&h, "a").pid);
  char third[1024];
  len = readlink(first, third, sizeof(third) - 1);
  assert_true(len > 0);
  third[len] = '\0';
  assert_string_equal(second, third);

  /* At the end it goes, and a new life gets a new one. */
  host_end(&h, "a");
  host_wait_idle(&h);
  assert_false(exists(second));
  host_close(&h);
}

static void test_each_its_own(void **state) {
  (void)state;
  host_t h;
  char paths[2][1024];
  open_host(&h);
  static const char *const ids[] = {"a", "b"};
  for (int i = 0; i < 2; i++) {
    host_spawn(&h, ids[i], "fill-directory", "/");
    read_path(&h, ids[i], "\n", paths[i], sizeof(paths[i]));
  }
  assert_string_not_equal(paths[0], paths[1]);
  pm_manager_kill_all(h.m);
  assert_false(exists(paths[0]));
  assert_false(exists(paths[1]));
  host_close(&h);
}

/* Not left behind by a start that failed. */
static void test_failed_start(void **state) {
  (void)state;
  host_t h;
  char dir[256];
  make_scratch(dir, sizeof(dir));
  const char *before = getenv("TMPDIR");
  char *saved = before ? strdup(before) : NULL;
  setenv("TMPDIR", dir, 1);
  open_host(&h);
  host_spawn(&h, "a", "/no/such/command");
  host_wait(&h, "a", PM_EVENT_ERROR, 1);
  host_wait_idle(&h);
  assert_int_equal(rmdir(dir), 0); /* it is empty */

  host_spawn(&h, "b", "say-ready");
  const seen_t *error = host_wait(&h, "b", PM_EVENT_ERROR, 1);
  assert_string_equal(error->error.code, "ENOENT");
  assert_string_equal(error->error.syscall, "mkdtemp");
  host_close(&h);
  if (saved)
    setenv("TMPDIR", saved, 1);
  else
    unsetenv("TMPDIR");
  free(saved);
}

/* ---- commands that write to the last -------------------------------------------- */

/* What a command writes after its directory has been read, before it is removed. */
static struct {
  int writes; /* still to come */
  int pid;    /* of the command */
  unsigned removals;
  bool was_reaped; /* at the first */
} last;

/* Stands before libc's. */
int unlinkat(int dir, const char *name, int flags) {
  int (*next)(int dir, const char *name, int flags);
  *(void **)&next = dlsym(RTLD_NEXT, "unlinkat");
  if (!(flags & AT_REMOVEDIR) || !strstr(name, "/mcp-process-")) return next(dir, name, flags);
  if (last.removals++ == 0 && last.pid) last.was_reaped = kill(last.pid, 0) != 0;
  if (last.writes-- > 0) {
    char path[1200];
    snprintf(path, sizeof(path), "%s/last", name);
    close(open(path, O_WRONLY | O_CREAT, 0600));
  }
  return next(dir, name, flags);
}

static void working_dir_of(int pid, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
  ssize_t len = readlink(link, path, size - 1);
  assert_true(len > 0);
  path[len] = '\0';
}

static void test_last_writes(void **state) {
  (void)state;
  enum { WRITES = 3 };
  for (int by_close = 0; by_close < 2; by_close++) {
    host_t h;
    char path[1024];
    open_host(&h);
    host_spawn(&h, "a", "say-ready");
    host_wait_output(&h, "a", "ready\n");
    memset(&last, 0, sizeof(last));
    last.writes = WRITES;
    last.pid = host_status(&h, "a").pid;
    working_dir_of(last.pid, path, sizeof(path));
    if (!by_close) {
      pm_manager_kill_all(h.m);
      assert_false(exists(path));
    }
    host_close(&h);
    assert_false(exists(path));
    assert_int_equal(last.removals, WRITES + 1);
    /* Only at the host's own end nobody has the time to wait for that. */
    if (by_close) assert_true(last.was_reaped);
  }
  memset(&last, 0, sizeof(last));
}

/* The same by commands that do write while they are killed. */
static void test_writers(void **state) {
  (void)state;
  int rounds = is_light("most rounds of writers that are killed") ? 2 : 10;
  for (int i = 0; i < 2 * rounds; i++) {
    host_t h;
    char path[1024];
    open_host(&h);
    host_spawn(&h, "a", "write-files", "8");
    host_wait_output(&h, "a", "ready\n");
    working_dir_of(host_status(&h, "a").pid, path, sizeof(path));
    if (i % 2) {
      pm_manager_kill_all(h.m);
      assert_false(exists(path));
    }
    host_close(&h);
    assert_false(exists(path));
  }
}

/* ---- the directory itself --------------------------------------------------------- */

static void test_mode_whatever_the_umask(void **state) {
  (void)state;
  static const mode_t masks[] = {0, 022, 0177, 0277, 0777};
  for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
    char path[1200];
    struct stat st;
    mode_t before = umask(masks[i]);
    int r = pm__private_directory_make(path, sizeof(path));
    umask(before);
    assert_int_equal(r, 0);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(pm__private_directory_remove(path), 0);
    assert_false(exists(path));
  }
}

static void test_too_long_a_path(void **state) {
  (void)state;
  char path[8];
  assert_int_equal(pm__private_directory_make(path, sizeof(path)), UV_ENAMETOOLONG);
}

static void test_a_link_is_not_followed(void **state) {
  (void)state;
  char dir[256];
  char target[300];
  char link[300];
  make_scratch(dir, sizeof(dir));
  snprintf(target, sizeof(target), "%s/target", dir);
  snprintf(link, sizeof(link), "%s/link", dir);
  assert_int_equal(mkdir(target, 0700), 0);
  assert_int_equal(symlink(target, link), 0);
  assert_true(pm__private_directory_remove(link) != 0);
  assert_true(exists(target));
  remove_scratch(dir);
}

/* Root may enter anything; so this runs as somebody else. */
static int remove_closed_ones(void) {
  char path[1200];
  if (setgid(65534) != 0 || setuid(65534) != 0) return 1;
  if (chdir("/") != 0 || pm__private_directory_make(path, sizeof(path)) != 0) return 2;
  int dir = open(path, O_RDONLY | O_DIRECTORY);
  if (mkdirat(dir, "closed", 0700) != 0 || mkdirat(dir, "closed/inner", 0700) != 0) return 3;
  if (mkdirat(dir, "closed/inner/file", 0) != 0 || mkdirat(dir, "readonly", 0700) != 0) return 4;
  if (mkdirat(dir, "readonly/file", 0700) != 0) return 5;
  if (fchmodat(dir, "closed/inner", 0, 0) != 0 || fchmodat(dir, "closed", 0, 0) != 0) return 6;
  if (fchmodat(dir, "readonly", 0500, 0) != 0 || chmod(path, 0) != 0) return 7;
  close(dir);
  if (pm__private_directory_remove(path) != 0) return 8;
  return exists(path) ? 9 : 0;
}

static void test_closed_directories(void **state) {
  (void)state;
  if (getuid() != 0) {
    print_message("left out: needs root, to become an ordinary user\n");
    skip();
  }
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) _exit(remove_closed_ones());
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_is_private_and_removed),
      cmocka_unit_test(test_is_kept_over_restarts),
      cmocka_unit_test(test_each_its_own),
      cmocka_unit_test(test_failed_start),
      cmocka_unit_test(test_last_writes),
      cmocka_unit_test(test_writers),
      cmocka_unit_test(test_mode_whatever_the_umask),
      cmocka_unit_test(test_too_long_a_path),
      cmocka_unit_test(test_a_link_is_not_followed),
      cmocka_unit_test(test_closed_directories),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
